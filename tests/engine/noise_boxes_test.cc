// Answers that are made to hold a number of boxes: what may be written, and that nothing else changes.
#include "engine/noise_boxes.h"

#include <gmock/gmock.h>

#include <cmath>

#include "loaded.h"
#include "support/isas.h"

namespace paligemma {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using Ids = std::vector<std::int32_t>;

constexpr std::int32_t kEos = 1;

Allowed narrowed(const NoiseBoxes& noise, const Ids& answer, std::int64_t room) {
  Allowed allowed{2000};
  narrow(allowed, noise, answer, room, kEos);
  return allowed;
}

TEST(NoiseBoxes, EosFollowsTheNameOfTheLastBox) {
  const NoiseBoxes two{.count = 2, .label = 7, .loc_begin = 100, .loc_end = 1124};
  const auto next = [&](const Ids& answer, std::int64_t room = 10) { return narrowed(two, answer, room).except; };
  const Ids box{100, 1123, 500, 600}, name{9, 1124}, end{50, 51};
  Ids answer;
  const auto write = [&](const Ids& ids) { answer.insert(answer.end(), ids.begin(), ids.end()); };
  EXPECT_THAT(next(answer), ElementsAre(7, kEos));
  for (const Ids& part : {name, box, name, end, box}) {
    write(part);
    EXPECT_THAT(next(answer), ElementsAre(7, kEos));
  }
  EXPECT_THAT(next(answer, 1), ElementsAre(7));
  write({9});
  EXPECT_THAT(next(answer), ElementsAre(7));
  write(box);
  EXPECT_THAT(next(answer), ElementsAre(7));
  EXPECT_THAT(narrowed({}, {}, 10).except, IsEmpty());
  EXPECT_THAT(narrowed(two, box, 10).only, IsEmpty());  // no names are known
}

TEST(NoiseBoxes, FourLocsAreFollowedByAName) {
  const NoiseBoxes one{.count = 1, .label = 7, .loc_begin = 100, .loc_end = 1124, .names = {20, 7, 30}};
  for (const Ids& answer : {Ids{}, Ids{20}, Ids{100, 101, 102}, Ids{100, 101, 102, 103, 20}, Ids{100, 101, 102, 1124}})
    EXPECT_THAT(narrowed(one, answer, 10).only, IsEmpty());
  for (const Ids& answer : {Ids{100, 101, 102, 103}, Ids{100, 101, 102, 103, 20, 9, 1123, 1123, 1123, 1123}}) {
    EXPECT_THAT(narrowed(one, answer, 10).only, ElementsAre(20, 30));
    EXPECT_THAT(narrowed(one, answer, 1).only, IsEmpty());
  }
}

// The tokens of the checkpoint pg2: 1024 loc tokens from 1158 on.
class NoiseBoxAnswers : public Pg2Cases {
 protected:
  static constexpr std::int32_t kLocBegin = 1158, kNowhere = 5;  // an id that no answer has
  static constexpr int kTokens = 24;

  static Loaded load(std::int64_t draft_rows) {
    return {"models/pg2", test::runnable_isas().back(), {.draft_rows = draft_rows}};
  }
  EnginePrompt prompt(std::size_t pair, NoiseBoxes noise, std::int64_t picture = 0) const {
    EnginePrompt out = make_prompt(pairs[pair], kTokens, {picture});
    out.noise = noise;
    return out;
  }
  // Boxes that are followed by something.
  static int named(std::span<const std::int32_t> ids) {
    int count = 0;
    bool in_box = false;
    for (const std::int32_t id : ids) {
      const bool loc = id >= kLocBegin && id < kLocBegin + 1024;
      if (in_box && !loc) ++count;
      in_box = loc;
    }
    return count;
  }
};

// The references' answers to these two end behind their second box: "... <loc0437> está está ...<eos>" and
// "<loc0402>탁<loc0122>に立っている n<eos>".
TEST_F(NoiseBoxAnswers, WithAsManyBoxesAreTheReferences) {
  Loaded model = load(1);
  for (const std::size_t pair : {std::size_t{0}, std::size_t{4}}) {
    const Json& expected = pairs[pair]["greedy"];
    model.see({patches(model, static_cast<std::int64_t>(pair))});
    for (const int count : {1, 2})
      expect_answer(
          model.answer(
              prompt(pair, {.count = count, .label = kNowhere, .loc_begin = kLocBegin, .loc_end = kLocBegin + 1024})),
          expected);
    const EngineAnswer longer = model.answer(
        prompt(pair, {.count = 3, .label = kNowhere, .loc_begin = kLocBegin, .loc_end = kLocBegin + 1024}));
    const Ids plain = ids(expected["ids"]);
    ASSERT_GE(longer.ids.size(), plain.size());
    EXPECT_TRUE(std::equal(plain.begin(), plain.end() - 1, longer.ids.begin()));
    EXPECT_NE(longer.ids[plain.size() - 1], kEos);
    EXPECT_TRUE(named(longer.ids) >= 3 || longer.ids.size() == std::size_t{kTokens});
  }
}

// What the model gave at each place says what had to be chosen there, with which probability of all ids.
TEST_F(NoiseBoxAnswers, HoldTheBestOfWhatMayBe) {
  Loaded model = load(6);
  int kept_out = 0, named_ones = 0;
  for (std::size_t pair = 0; pair < 8; ++pair) {
    model.see({patches(model, static_cast<std::int64_t>(pair))});
    const NoiseBoxes noise{.count = 3,
                           .label = ids(pairs[pair]["greedy"]["ids"])[2],
                           .loc_begin = kLocBegin,
                           .loc_end = kLocBegin + 1024,
                           .names = {600, 700, 800}};
    EnginePrompt asked = prompt(pair, noise);
    std::vector<std::vector<float>> seen;
    asked.see_logits = [&](std::span<const float> logits) { seen.emplace_back(logits.begin(), logits.end()); };
    const EngineAnswer answer = model.answer(asked);
    ASSERT_EQ(seen.size(), answer.ids.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const auto is_loc = [](std::int32_t id) { return id >= kLocBegin && id < kLocBegin + 1024; };
      const std::span<const std::int32_t> before = std::span(answer.ids).first(i);
      const bool names = i + 1 < std::size_t{kTokens} && i >= 4 && std::ranges::all_of(before.last(4), is_loc);
      named_ones += names;
      const bool may_end = named(before) >= 3 || i + 1 == std::size_t{kTokens};
      std::int32_t best = -1, second = -1;
      double sum = 0;
      for (std::int32_t id = 0; id < std::ssize(seen[i]); ++id) {
        const float logit = seen[i][static_cast<std::size_t>(id)];
        sum += std::exp(static_cast<double>(logit));
        if (names && id != 600 && id != 700 && id != 800) continue;
        if (id >= *model.config.image_token || id == noise.label || (id == kEos && !may_end)) continue;
        const auto above = [&](std::int32_t other) {
          return other < 0 || logit > seen[i][static_cast<std::size_t>(other)];
        };
        if (above(best))
          second = best, best = id;
        else if (above(second))
          second = id;
      }
      const std::vector<float>& logits = seen[i];
      const float chosen = logits[static_cast<std::size_t>(best)];
      EXPECT_EQ(answer.ids[i], best) << pair << " " << i;
      EXPECT_NEAR(answer.logprobs[i], static_cast<double>(chosen) - std::log(sum), 1e-6);
      EXPECT_EQ(answer.margins[i], chosen - logits[static_cast<std::size_t>(second)]);
      kept_out += std::ranges::max_element(logits) - logits.begin() != best;
    }
  }
  EXPECT_GE(kept_out, 8);
  EXPECT_GE(named_ones, 2);
}

// Sampled answers, beams and greedy ones beside each other and alone, with and without drafts.
TEST_F(NoiseBoxAnswers, DoNotDependOnWhatRunsBeside) {
  const auto ask = [&](std::int64_t picture) {
    std::vector<EnginePrompt> prompts;
    for (const int kind : {0, 1, 2, 3, 4}) {
      EnginePrompt one = prompt(
          4, {.count = 3, .label = 375, .loc_begin = kLocBegin, .loc_end = kLocBegin + 1024, .names = {600, 700}},
          picture);
      if (kind == 1) one.sampling = {.temperature = 1.5, .seed = 3};
      if (kind == 2) one.sampling = {.repetition_penalty = 1.3};
      if (kind == 3) one.beams = {.count = 3, .score = BeamScore::mean};
      if (kind == 4) one.noise = {};
      prompts.push_back(one);
    }
    return prompts;
  };
  Loaded alone = load(1), together = load(24);
  alone.see({patches(alone, 4)});
  together.see({patches(together, 4)});
  const std::vector<EnginePrompt> prompts = ask(0);
  const std::vector<EngineAnswer> answers = together.engine->generate(prompts);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const EngineAnswer expected = alone.answer(prompts[i]);
    EXPECT_EQ(answers[i].ids, expected.ids);
    EXPECT_EQ(answers[i].logprobs, expected.logprobs);
    if (i == 4) continue;
    EXPECT_THAT(answers[i].ids, Not(Contains(375)));
    EXPECT_TRUE(named(answers[i].ids) >= 3 || answers[i].ids.size() == std::size_t{kTokens});
  }
  EXPECT_EQ(answers[4].ids, ids(pairs[4]["greedy"]["ids"]));
}

// big_vision's search ends every answer with eos: where boxes are missing, at the limit.
TEST_F(NoiseBoxAnswers, OfASummedSearchEndAtTheLimit) {
  Loaded model = load(1);
  model.see({patches(model, 4)});
  EnginePrompt asked = prompt(4, {.count = 100, .label = 375, .loc_begin = kLocBegin, .loc_end = kLocBegin + 1024});
  asked.beams = {.count = 3, .score = BeamScore::sum};
  const EngineAnswer answer = model.answer(asked);
  ASSERT_EQ(answer.ids.size(), std::size_t{kTokens});
  EXPECT_EQ(std::ranges::count(answer.ids, kEos), 1);
  EXPECT_EQ(answer.ids.back(), kEos);
  for (const double logprob : answer.logprobs) EXPECT_TRUE(std::isfinite(logprob));
  EXPECT_TRUE(answer.stopped);
}

}  // namespace
}  // namespace paligemma
