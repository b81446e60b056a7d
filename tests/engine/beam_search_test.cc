// Beam search against transformers' and big_vision's results, and by hand.
#include "engine/beam_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "loaded.h"
#include "support/isas.h"
#include "support/tolerances.h"

namespace paligemma {
namespace {

using test::golden_json;
using test::golden_tensors;
using test::ids;

// Feeds a search with what `of` says of each live hypothesis until it ends.
template <class Of>
void run(BeamSearch& search, Of of) {
  for (bool first = true;; first = false) {
    std::vector<Continuations> all;
    if (first) all.push_back(of(std::vector<std::int32_t>{}));
    if (!first)
      for (const Hypothesis& live : search.live()) all.push_back(of(live.ids));
    const std::vector<std::size_t> parents = search.advance(all);
    if (parents.empty()) return;
    ASSERT_EQ(parents.size(), search.live().size());
  }
}

// eos 0; a (1) has 0.6 and b (2) 0.3 at first; after a everything is even, after b comes eos with 0.9.
Continuations small_language(const std::vector<std::int32_t>& so_far) {
  const auto of = [](double eos, double a, double b) {
    Continuations out{.eos = std::log(eos)};
    out.best = {{0, std::log(eos)}, {1, std::log(a)}, {2, std::log(b)}};
    std::ranges::stable_sort(out.best, std::greater<>(), &Continuations::Next::logprob);
    return out;
  };
  if (so_far.empty()) return of(0.1, 0.6, 0.3);
  return so_far.back() == 2 ? of(0.9, 0.05, 0.05) : of(0.34, 0.33, 0.33);
}

// By hand: "b eos" has 0.27, "a eos" 0.204; greedy would say "a eos". The best live one has 0.6 * 0.33 then.
TEST(BeamSearch, SumFindsTheMoreProbableAnswer) {
  BeamSearch search({.count = 2, .score = BeamScore::sum}, 0, 10);
  run(search, small_language);
  ASSERT_EQ(search.finished().size(), 1u);
  EXPECT_EQ(search.finished()[0].ids, (std::vector<std::int32_t>{2, 0}));
  EXPECT_NEAR(search.finished()[0].score, std::log(0.27), 1e-12);
  EXPECT_EQ(search.finished()[0].logprobs.size(), 2u);
}

// At the limit every live hypothesis is closed: with one token, that token is eos.
TEST(BeamSearch, SumAlwaysEndsWithEos) {
  BeamSearch search({.count = 2, .score = BeamScore::sum}, 0, 1);
  run(search, small_language);
  EXPECT_EQ(search.finished()[0].ids, std::vector<std::int32_t>{0});
}

// At the limit of 2: "b eos" 0.27, "a eos" 0.204 (then "a a", "a b" 0.198), each by its mean.
TEST(BeamSearch, MeanKeepsAsManyAsThereAreBeams) {
  BeamSearch search({.count = 2, .score = BeamScore::mean}, 0, 2);
  run(search, small_language);
  ASSERT_EQ(search.finished().size(), 2u);
  EXPECT_EQ(search.finished()[0].ids, (std::vector<std::int32_t>{2, 0}));
  EXPECT_NEAR(search.finished()[0].score, std::log(0.27) / 2, 1e-12);
  EXPECT_EQ(search.finished()[1].ids, (std::vector<std::int32_t>{1, 0}));
}

TEST(BeamSearch, SmallVocabulariesAndPadding) {
  const BeamSearch search({.count = 8, .score = BeamScore::mean}, 0, 5);
  const std::vector<float> logits{1, 3, 2, 9};
  const Continuations found = search.continuations(logits, {3});
  ASSERT_EQ(found.best.size(), 3u);
  EXPECT_EQ(found.best[0].id, 1);
  EXPECT_EQ(found.best[2].id, 0);
  EXPECT_EQ(found.eos, found.best[2].logprob);
  EXPECT_NEAR(found.best[0].logprob, 3 - (9 + std::log1p(std::exp(-8.0) + std::exp(-6.0) + std::exp(-7.0))), 1e-6);
}

TEST(BeamSearch, ExceptedIdsAreNoContinuations) {
  const BeamSearch search({.count = 8, .score = BeamScore::mean}, 0, 5);
  const std::vector<float> logits{1, 3, 2, 9};
  const std::vector<std::int32_t> except{1, 0};
  const Continuations found = search.continuations(logits, {3, except});
  ASSERT_EQ(found.best.size(), 1u);
  EXPECT_EQ(found.best[0].id, 2);
  EXPECT_NEAR(found.best[0].logprob, 2 - (9 + std::log1p(std::exp(-8.0) + std::exp(-6.0) + std::exp(-7.0))), 1e-6);
  EXPECT_EQ(found.eos, -std::numeric_limits<double>::infinity());
  const Continuations ending = search.continuations(logits, {.count = 3, .except = {2}, .only = {0, 2}});
  ASSERT_EQ(ending.best.size(), 1u);
  EXPECT_EQ(ending.best[0].id, 0);
  EXPECT_EQ(ending.eos, ending.best[0].logprob);
}

struct Reference {
  Json cases = golden_json("sampling/case.json"), pairs = golden_json("forward/pg2/case.json")["pairs"];
  Safetensors tensors = golden_tensors("forward/pg2/taps.safetensors");

  // Shows the model the picture of the beam case and returns its prompt.
  EnginePrompt ask(Loaded& model, const Json& item) const {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (pairs[i]["picture"] != item["picture"] || pairs[i]["prompt"] != item["prompt"]) continue;
      model.see({model.patches(tensors.others.at(std::to_string(i) + "/pixels_u8").bytes)});
      return make_prompt(pairs[i], item["settings"]["max_new_tokens"]);
    }
    ADD_FAILURE() << "no such pair";
    return {};
  }

  // What we offer is early_stopping false.
  std::vector<Json> searches() const {
    std::vector<Json> out;
    for (const Json& item : cases["beams"])
      if (item["settings"]["early_stopping"] == false) out.push_back(item);
    return out;
  }

  static Beams beams(const Json& item) {
    return {.count = item["settings"]["num_beams"],
            .score = BeamScore::mean,
            .length_penalty = item["settings"]["length_penalty"]};
  }
};

// All the hypotheses that are left at the end, each token's logits from a prefill of everything before it.
TEST(BeamSearch, FinishesWithTheHypothesesOfTransformers) {
  const Reference reference;
  Loaded model("models/pg2", test::runnable_isas().back());
  ASSERT_EQ(reference.searches().size(), 12u);
  for (const Json& item : reference.searches()) {
    SCOPED_TRACE(item["picture"].get<std::string>() + item["settings"].dump());
    EnginePrompt prompt = reference.ask(model, item);
    BeamSearch search(Reference::beams(item), 1, prompt.max_tokens);
    const std::int64_t vocabulary = model.config.decoder.vocabulary;
    run(search, [&](const std::vector<std::int32_t>& so_far) {
      EnginePrompt longer = prompt;
      longer.suffix = so_far;
      longer.max_tokens = 1;
      std::vector<float> last;
      model.engine->tap = [&](std::string_view name, ConstView value) {
        if (name == "logits") last.assign(value.row(value.rows - 1), value.row(value.rows - 1) + vocabulary);
      };
      model.answer(longer);
      model.engine->tap = {};
      return search.continuations(last, {*model.config.image_token});
    });
    ASSERT_EQ(search.finished().size(), item["sequences"].size());
    for (std::size_t i = 0; i < search.finished().size(); ++i) {
      EXPECT_EQ(search.finished()[i].ids, ids(item["sequences"][i]));
      EXPECT_NEAR(search.finished()[i].score, item["scores"][i].get<double>(), test::kLogprob);
    }
  }
}

class Beaming : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Beaming, ::testing::ValuesIn(test::runnable_isas()));

TEST_P(Beaming, AnswersAsTransformersDoes) {
  const Reference reference;
  Loaded model("models/pg2", GetParam());
  for (const Json& item : reference.searches()) {
    SCOPED_TRACE(item["picture"].get<std::string>() + item["settings"].dump());
    EnginePrompt prompt = reference.ask(model, item);
    prompt.beams = Reference::beams(item);
    const EngineAnswer answer = model.answer(prompt);
    EXPECT_EQ(answer.ids, ids(item["sequences"][0]));
    EXPECT_EQ(answer.stopped, answer.ids.back() == 1);
    double sum = 0;
    for (const double logprob : answer.logprobs) sum += logprob;
    const double score = sum / std::pow(static_cast<double>(answer.ids.size()), prompt.beams.length_penalty);
    EXPECT_NEAR(score, item["scores"][0].get<double>(), test::kLogprob);
  }
}

// Searches, samplers and a greedy answer in one batch, bit for bit what each gives alone, with a forced beginning too.
TEST_P(Beaming, DoesNotDependOnWhatRunsBeside) {
  const Reference reference;
  Loaded model("models/pg2", GetParam(), {.precision = Precision::bf16});
  std::vector<EnginePrompt> prompts;
  for (int i = 0; i < 5; ++i) prompts.push_back(reference.ask(model, reference.cases["beams"][5]));
  prompts[0].beams = {.count = 4};
  prompts[1].sampling = {.temperature = 1.5, .seed = 1};
  prompts[2].beams = {.count = 3, .score = BeamScore::sum};
  prompts[2].suffix = {40, 41};
  prompts[3].sampling = {.temperature = 1.5, .seed = 2};
  prompts[4].max_tokens = 70;  // beyond a block
  prompts[4].beams = {.count = 7, .length_penalty = 10};
  const auto together = model.engine->generate(prompts);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const EngineAnswer alone = model.answer(prompts[i]);
    EXPECT_EQ(alone.ids, together[i].ids) << i;
    EXPECT_EQ(alone.logprobs, together[i].logprobs) << i;
    EXPECT_EQ(alone.margins.size(), alone.ids.size());
  }
  EXPECT_NE(together[1].ids, together[3].ids);
  EXPECT_EQ(together[2].ids[1], 41);
  EXPECT_GT(together[4].ids.size(), 64u);
}

}  // namespace
}  // namespace paligemma
