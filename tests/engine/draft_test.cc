// Drafts: what is guessed, and that no guess, right or wrong, changes a bit of an answer.
#include "engine/draft.h"

#include <gmock/gmock.h>

#include "loaded.h"
#include "support/isas.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

// Codes are 100 to 109, four to an object.
const DraftHints kHints{.first_code = 100, .code_count = 10, .codes = 4, .names = {{10, 12, 13}, {11, 12, 13}}};

TEST(Draft, NamesFollowTheCodesOfAnObject) {
  EXPECT_THAT(draft(Ids{100, 101, 109, 100}, kHints, 9), ElementsAre(10, 12, 13));
  EXPECT_THAT(draft(Ids{7, 8, 100, 101, 109, 100}, kHints, 2), ElementsAre(10, 12));
  EXPECT_THAT(draft(Ids{100, 101, 109, 100, 11}, kHints, 9), ElementsAre(12, 13));
  EXPECT_THAT(draft(Ids{100, 101, 109, 100, 10, 12}, kHints, 9), ElementsAre(13));
}

TEST(Draft, NothingElseIsLikely) {
  for (const Ids& answer : {Ids{}, Ids{100, 101, 109}, Ids{100, 101, 102, 103, 104}, Ids{100, 101, 102, 110},
                            Ids{100, 101, 102, 103, 14}, Ids{100, 101, 102, 103, 10, 12, 13}})
    EXPECT_THAT(draft(answer, kHints, 9), IsEmpty());
  EXPECT_THAT(draft(Ids{100, 101, 102, 103}, kHints, 0), IsEmpty());
  EXPECT_THAT(draft(Ids{100, 101, 102, 103}, {}, 9), IsEmpty());
}

TEST(Draft, NamesComeInOrderAndTheLastOneAgain) {
  Ids answer{100, 101, 102, 103, 10, 12, 13, 104, 105, 106, 107};
  EXPECT_THAT(draft(answer, kHints, 1), ElementsAre(11));
  for (const std::int32_t id : {11, 12, 13, 108, 105, 109, 101}) answer.push_back(id);
  EXPECT_THAT(draft(answer, kHints, 1), ElementsAre(11));
  for (const std::int32_t id : {10, 12, 13, 103, 105, 104, 107}) answer.push_back(id);
  EXPECT_THAT(draft(answer, kHints, 1), ElementsAre(10));
}

TEST(Draft, WhatFollowedTheSameIdsBefore) {
  EXPECT_THAT(draft(Ids{1, 2, 3, 4, 1, 2}, {}, 9), ElementsAre(3, 4, 1, 2));
  EXPECT_THAT(draft(Ids{1, 2, 3, 4, 1, 2}, {}, 1), ElementsAre(3));
  EXPECT_THAT(draft(Ids{1, 2, 3, 1, 2, 4, 1, 2}, {}, 1), ElementsAre(4));           // the last time
  EXPECT_THAT(draft(Ids{5, 2, 3, 7, 6, 2, 3, 8, 5, 2, 3}, {}, 1), ElementsAre(7));  // three in a row before two
  EXPECT_THAT(draft(Ids{1, 1, 1}, {}, 9), ElementsAre(1));
  EXPECT_THAT(draft(Ids{1, 2, 3, 4, 5, 2}, {}, 9), IsEmpty());
}

TEST(Draft, IsWorthMoreRowsTheMoreBytesAWeightHas) {
  constexpr std::size_t kLarge = std::size_t{1} << 30;
  EXPECT_GT(rows_for_drafts(DType::bf16, kLarge), rows_for_drafts(DType::int8, kLarge));
  EXPECT_GT(rows_for_drafts(DType::int8, kLarge), rows_for_drafts(DType::q8, kLarge));
  EXPECT_GT(rows_for_drafts(DType::q8, kLarge), rows_for_drafts(DType::q4, kLarge));
  EXPECT_GT(rows_for_drafts(DType::q4, kLarge), 1);
  EXPECT_EQ(rows_for_drafts(DType::bf16, 1 << 20), 1);
}

struct DraftCase {
  std::string isa;
  Precision precision;
  HeldAs held;
};

std::vector<DraftCase> draft_cases() {
  std::vector<DraftCase> cases;
  // That answers do not depend on what runs beside is tested for all (InvarianceTest); here for the plainest and the
  // best.
  for (const std::string& isa : {test::runnable_isas().front(), test::runnable_isas().back()})
    for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8})
      for (const HeldAs held : {HeldAs::as_in_file, HeldAs::q8, HeldAs::q4}) cases.push_back({isa, precision, held});
  return cases;
}

class Drafts : public Pg2Cases, public ::testing::WithParamInterface<DraftCase> {
 protected:
  static constexpr int kTokens = 12;

  Loaded load(std::int64_t draft_rows, std::int32_t eos = 1) const {
    return Loaded("models/pg2", GetParam().isa,
                  {.precision = GetParam().precision, .held = GetParam().held, .eos = eos, .draft_rows = draft_rows});
  }

  // The answer to each pair without drafts.
  std::vector<EngineAnswer> plain(std::int32_t eos = 1) const {
    Loaded model = load(1, eos);
    std::vector<EngineAnswer> answers;
    for (std::size_t i = 0; i < 3; ++i) {
      model.see({patches(model, static_cast<std::int64_t>(i))});
      answers.push_back(model.answer(make_prompt(pairs[i], kTokens)));
    }
    return answers;
  }
};

std::string name_of(const ::testing::TestParamInfo<DraftCase>& info) {
  const DraftCase& c = info.param;
  return c.isa + "_" + std::string(name(c.precision)) +
         (c.held == HeldAs::q8   ? "_q8"
          : c.held == HeldAs::q4 ? "_q4"
                                 : "");
}
INSTANTIATE_TEST_SUITE_P(Isas, Drafts, ::testing::ValuesIn(draft_cases()), name_of);

void expect_same(const EngineAnswer& answer, const EngineAnswer& expected) {
  EXPECT_EQ(answer.ids, expected.ids);
  EXPECT_EQ(answer.logprobs, expected.logprobs);
  EXPECT_EQ(answer.margins, expected.margins);
  EXPECT_EQ(answer.stopped, expected.stopped);
}

// Hints under which an answer is guessed that goes on as `ids` does behind the first of them.
DraftHints guessing(const Ids& ids) {
  return {.first_code = ids[0], .code_count = 1, .codes = 1, .names = {{ids.begin() + 1, ids.end()}}};
}

// Passes through the decoder while `work` runs.
template <class Work>
int count_passes(Loaded& model, Work work) {
  int passes = 0;
  model.engine->tap = [&](std::string_view name, ConstView) { passes += name == "decoder.norm"; };
  work();
  model.engine->tap = {};
  return passes;
}

TEST_P(Drafts, RightAndWrongGuessesGiveTheSameBits) {
  const std::vector<EngineAnswer> expected = plain();
  for (const std::int64_t rows : {2, 6}) {
    Loaded model = load(rows);
    for (std::size_t i = 0; i < 3; ++i) {
      const Ids& ids = expected[i].ids;
      model.see({patches(model, static_cast<std::int64_t>(i))});
      for (std::size_t wrong = 1; wrong <= ids.size(); ++wrong) {
        EnginePrompt prompt = make_prompt(pairs[i], kTokens);
        Ids guess = ids;
        if (wrong < ids.size()) guess[wrong] = guess[wrong] == 5 ? 6 : 5;
        prompt.hints = guessing(guess);
        expect_same(model.answer(prompt), expected[i]);
      }
    }
  }
}

// The pairs whose first id comes once: others are not guessed on to the end.
TEST_P(Drafts, RightGuessesSavePasses) {
  const std::vector<EngineAnswer> expected = plain();
  Loaded model = load(6);
  int compared = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const Ids& ids = expected[i].ids;
    if (std::ranges::count(ids, ids[0]) > 1) continue;
    model.see({patches(model, static_cast<std::int64_t>(i))});
    EnginePrompt prompt = make_prompt(pairs[i], kTokens);
    prompt.hints = guessing(ids);
    EXPECT_LE(count_passes(model, [&] { model.answer(prompt); }), 1 + (static_cast<int>(ids.size()) + 4) / 6);
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST_P(Drafts, EndInsideOfAGuess) {
  const std::vector<EngineAnswer> whole = plain();
  Loaded model = load(6);
  for (std::size_t i = 0; i < 3; ++i) {
    model.see({patches(model, static_cast<std::int64_t>(i))});
    for (int most = 1; most <= kTokens; ++most) {
      EnginePrompt prompt = make_prompt(pairs[i], most);
      prompt.hints = guessing(whole[i].ids);
      const EngineAnswer answer = model.answer(prompt);
      const auto count = std::min(static_cast<std::size_t>(most), whole[i].ids.size());
      EXPECT_EQ(answer.ids, Ids(whole[i].ids.begin(), whole[i].ids.begin() + static_cast<std::ptrdiff_t>(count)));
    }
    // An id in the middle of the answer ends it.
    const std::int32_t eos = whole[i].ids[whole[i].ids.size() / 2];
    const std::vector<EngineAnswer> shorter = plain(eos);
    Loaded ending = load(6, eos);
    ending.see({patches(ending, static_cast<std::int64_t>(i))});
    EnginePrompt prompt = make_prompt(pairs[i], kTokens);
    prompt.hints = guessing(whole[i].ids);
    ASSERT_TRUE(shorter[i].stopped);
    expect_same(ending.answer(prompt), shorter[i]);
  }
}

// Together: adapters, suffixes, sampling, a penalty and beams beside greedy answers, some guessed right, some wrong.
TEST_P(Drafts, MixedBatchesGiveTheSameBits) {
  std::vector<std::vector<EngineAnswer>> answers;
  const std::vector<EngineAnswer> guesses = plain();
  for (const std::int64_t rows : {1, 24}) {
    Loaded model = load(rows);
    std::vector<const AdapterSet*> adapters;
    std::vector<EnginePrompt> prompts;
    std::vector<std::vector<float>> pictures;
    for (const char* name : {"", "plain", "dora", "", "tables", "", "", "plain", ""}) {
      const std::size_t i = prompts.size(), pair = i % 3;
      adapters.push_back(*name ? model.attach(model.adapter(name)) : nullptr);
      pictures.push_back(patches(model, static_cast<std::int64_t>(pair)));
      prompts.push_back(i % 4 == 1 ? make_scoring(pairs[pair], {static_cast<std::int64_t>(i)})
                                   : make_prompt(pairs[pair], 0, {static_cast<std::int64_t>(i)}));
      prompts.back().max_tokens = kTokens + static_cast<int>(i);
      prompts.back().adapter = adapters.back();
      prompts.back().hints = guessing(guesses[pair].ids);
    }
    prompts[3].sampling = {.temperature = 0.7, .seed = 4};
    prompts[5].beams.count = 3;
    prompts[6].sampling = {.repetition_penalty = 1.3};
    model.see(pictures, adapters);
    answers.push_back(model.engine->generate(prompts));
  }
  for (std::size_t i = 0; i < answers[0].size(); ++i) {
    SCOPED_TRACE(i);
    expect_same(answers[1][i], answers[0][i]);
  }
}

// With room for few answers in the cache the others wait for their turn.
TEST_P(Drafts, AnswersThatWaitForTheCacheAreTheSame) {
  const std::vector<EngineAnswer> alone = plain();
  std::vector<int> passes;
  for (const std::int64_t bytes : {std::int64_t{1}, kCacheBytes}) {
    Loaded model("models/pg2", GetParam().isa,
                 {.precision = GetParam().precision, .held = GetParam().held, .cache_bytes = bytes});
    std::vector<EnginePrompt> prompts;
    for (std::size_t i = 0; i < 9; ++i) {
      prompts.push_back(make_prompt(pairs[i % 3], kTokens, {static_cast<std::int64_t>(i % 3)}));
      if (i % 2) prompts.back().max_tokens = static_cast<int>(i);
    }
    model.see({patches(model, 0), patches(model, 1), patches(model, 2)});
    std::vector<EngineAnswer> answers;
    passes.push_back(count_passes(model, [&] { answers = model.engine->generate(prompts); }));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      EngineAnswer expected = alone[i % 3];
      const auto count = std::min(static_cast<std::size_t>(prompts[i].max_tokens), expected.ids.size());
      expected.ids.resize(count), expected.logprobs.resize(count), expected.margins.resize(count);
      expected.stopped = expected.stopped && expected.ids.size() == alone[i % 3].ids.size();
      expect_same(answers[i], expected);
    }
  }
  EXPECT_GT(passes[0], 2 * passes[1]);  // one after the other, and all together
}

}  // namespace
}  // namespace paligemma
