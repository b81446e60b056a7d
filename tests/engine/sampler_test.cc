#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "base/random.h"
#include "support/golden.h"

namespace paligemma {
namespace {

using test::golden_json;
using test::golden_tensors;
using test::values;

TEST(Sampler, FirstOfEqualLogitsWins) {
  const std::vector<float> logits{1, 3, 3, 2};
  const Choice choice = choose_greedy(logits, {4});
  EXPECT_EQ(choice.id, 1);
  EXPECT_EQ(choice.margin, 0);
}

// By hand: softmax of (ln 1, ln 2, ln 5) is (1/8, 2/8, 5/8).
const std::vector<float> kEighths{std::log(1.0f), std::log(2.0f), std::log(5.0f)};

TEST(Sampler, LogProbabilities) {
  EXPECT_NEAR(logprob_of(kEighths, 0), std::log(1.0 / 8), 1e-6);
  EXPECT_NEAR(choose_greedy(kEighths, {3}).logprob, std::log(5.0 / 8), 1e-6);
  EXPECT_NEAR(choose_greedy(kEighths, {3}).margin, std::log(5.0 / 2), 1e-6);
  EXPECT_EQ(logprob_of(kEighths, 3), -std::numeric_limits<double>::infinity());
}

// What is excepted keeps its share of the softmax, and is never chosen, whatever else is asked.
TEST(Sampler, ExceptedIdsAreNeverChosen) {
  const std::vector<std::int32_t> except{2, 0};
  const Choice choice = choose_greedy(kEighths, {3, except});
  EXPECT_EQ(choice.id, 1);
  EXPECT_NEAR(choice.logprob, std::log(2.0 / 8), 1e-6);
  const std::vector<std::int32_t> one{2}, history{2, 1};
  for (const Sampling& sampling : {Sampling{}, Sampling{.repetition_penalty = 0.1}, Sampling{.temperature = 2},
                                   Sampling{.temperature = 2, .top_k = 3}, Sampling{.temperature = 2, .top_p = 0.9},
                                   Sampling{.temperature = 2, .min_p = 0.1}})
    for (std::uint64_t i = 0; i < 200; ++i) EXPECT_LT(choose(kEighths, {3, one}, history, sampling, true, i).id, 2);
  EXPECT_EQ(choose_greedy(kEighths, {.count = 3, .only = {1, 0}}).id, 1);
  EXPECT_EQ(choose_greedy(kEighths, {.count = 3, .except = {1}, .only = {1, 0}}).id, 0);
  EXPECT_NEAR(choose_greedy(kEighths, {.count = 3, .only = {0}}).logprob, std::log(1.0 / 8), 1e-6);
  for (std::uint64_t i = 0; i < 200; ++i)
    EXPECT_NE(choose(kEighths, {.count = 3, .only = {2, 0}}, {}, {.temperature = 2}, true, i).id, 1);
  // The best one is out: of the two left 1/8 and 2/8.
  int first = 0;
  for (std::uint64_t i = 0; i < 9000; ++i) first += choose(kEighths, {3, one}, {}, {.temperature = 1}, true, i).id == 0;
  EXPECT_NEAR(first, 3000, 150);
}

// Padding rows keep their share of the softmax, as in the reference.
TEST(Sampler, PaddingRowsAreNeverChosen) {
  const Choice choice = choose_greedy(kEighths, {2});
  EXPECT_EQ(choice.id, 1);
  EXPECT_NEAR(choice.logprob, std::log(2.0 / 8), 1e-6);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_LT(choose(kEighths, {2}, {}, {.temperature = 2}, false, i).id, 2);
}

TEST(Sampler, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits{1000, 990, -1000};
  EXPECT_NEAR(choose_greedy(logits, {3}).logprob, -std::log1p(std::exp(-10.0)), 1e-9);
  for (const double temperature : {1e-300, 1e-7, 100.0})
    EXPECT_LT(choose(logits, {3}, {}, {.temperature = temperature}, false, 0).id, 2);
  EXPECT_EQ(choose(logits, {3}, {}, {.temperature = 1e-300}, false, 0).id, 0);
}

TEST(Sampler, DamagedLogitsGiveAToken) {
  std::vector<float> logits(300, std::numeric_limits<float>::quiet_NaN());
  for (const float other : {1.0f, std::numeric_limits<float>::infinity()}) {
    logits[7] = other;
    const Choice choice =
        choose(logits, {300}, {}, {.temperature = 1, .top_k = 3, .top_p = 0.5, .min_p = 0.1}, true, 0);
    EXPECT_TRUE(choice.id >= 0 && choice.id < 300);
  }
}

Sampling sampling_of(const Json& settings) {
  return {.temperature = settings.value("temperature", 1.0),
          .top_k = settings.value("top_k", 0),
          .top_p = settings.value("top_p", 1.0),
          .min_p = settings.value("min_p", 0.0),
          .repetition_penalty = settings.value("repetition_penalty", 1.0)};
}

std::vector<float> probabilities(std::span<const Candidate> left, std::size_t vocabulary) {
  double total = 0;
  for (const Candidate& candidate : left) total += static_cast<double>(candidate.share);
  std::vector<float> out(vocabulary);
  for (const Candidate& candidate : left)
    out[static_cast<std::size_t>(candidate.id)] = static_cast<float>(static_cast<double>(candidate.share) / total);
  return out;
}

TEST(Sampler, FiltersAsTransformersDoes) {
  const Json cases = golden_json("sampling/case.json");
  const Safetensors tensors = golden_tensors("sampling/tensors.safetensors");
  const auto history = test::ids(cases["history"]);
  ASSERT_EQ(cases["filters"].size(), 76u);
  for (const Json& item : cases["filters"]) {
    const std::string name = item["logits"], index = std::to_string(item["index"].get<int>());
    SCOPED_TRACE(name + " " + item["settings"].dump());
    const auto logits = values(tensors.tensors.at("logits/" + name));
    auto expected = values(tensors.tensors.at("probabilities/" + name + "/" + index));
    const std::vector<Candidate> left = filter(logits, history, sampling_of(item["settings"]), false);
    auto actual = probabilities(left, logits.size());
    // Where equal logits straddle a cut, the reference's choice among them is its sort's.
    if (item["compare"] == "sorted") std::ranges::sort(expected), std::ranges::sort(actual);
    EXPECT_EQ(left.size(), item["kept"].get<std::size_t>());
    // Probabilities in f32, from logits / temperature up to 600: 600 * 2^-24 relative.
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(actual[i], expected[i], 4e-5f * expected[i] + 1e-12f) << i;
  }
}

// Several logits equal the last one kept: big_vision keeps them all.
TEST(Sampler, KeepsTheNucleusOfBigVision) {
  const Safetensors tensors = golden_tensors("npz/samplers.safetensors");
  const auto logits = values(tensors.tensors.at("logits"));
  constexpr std::size_t kVocabulary = 40;
  int cases = 0;
  for (const auto& [name, kept] : tensors.others) {
    SCOPED_TRACE(name);  // nucleus/p0.1_t1.7/kept
    const Sampling sampling{.temperature = std::stod(name.substr(name.find("_t") + 2)),
                            .top_p = std::stod(name.substr(name.find("/p") + 2))};
    for (std::size_t row = 0; row < logits.size() / kVocabulary; ++row) {
      std::vector<int> expected, actual;
      for (std::size_t i = 0; i < kVocabulary; ++i)
        if (kept.bytes[row * kVocabulary + i] != std::byte{0}) expected.push_back(static_cast<int>(i));
      for (const Candidate& candidate :
           filter(std::span(logits).subspan(row * kVocabulary, kVocabulary), {}, sampling, true))
        actual.push_back(candidate.id);
      std::ranges::sort(actual);
      EXPECT_EQ(actual, expected) << row;
    }
    ++cases;
  }
  EXPECT_EQ(cases, 12);
}

TEST(Sampler, PenaltyHoldsWithoutTemperatureToo) {
  const std::vector<float> logits{4, 3, -1}, below{-1, -3, -1.5f};
  const std::int32_t history[] = {0, 0, 99};
  EXPECT_EQ(choose(logits, {3}, history, {.repetition_penalty = 1.5}, false, 0).id, 1);
  EXPECT_EQ(choose(logits, {3}, history, {.repetition_penalty = 1.2}, false, 0).id, 0);  // once, not twice
  EXPECT_EQ(choose(below, {3}, history, {.repetition_penalty = 2}, false, 0).id, 2);
  // What is reported is the model's own: log-probability and distance without the penalty.
  const Choice choice = choose(logits, {3}, history, {.repetition_penalty = 1.5}, false, 0);
  EXPECT_DOUBLE_EQ(choice.logprob, logprob_of(logits, 1));
  EXPECT_EQ(choice.margin, -1);
}

// Shares 1, 2 and 5 of 8: 8,000 draws have a standard deviation of at most 44.
TEST(Sampler, DrawsByProbability) {
  std::map<int, int> drawn;
  for (std::uint64_t i = 0; i < 8000; ++i)
    ++drawn[choose(kEighths, {3}, {}, {.temperature = 1, .seed = 5}, false, i).id];
  EXPECT_NEAR(drawn[0], 1000, 180);
  EXPECT_NEAR(drawn[1], 2000, 180);
  EXPECT_NEAR(drawn[2], 5000, 180);
}

// Published outputs of SplitMix64 for the seed 1234567.
TEST(Random, IsSplitMix64) {
  constexpr std::uint64_t kExpected[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                         4593380528125082431u, 16408922859458223821u};
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(splitmix64(1234567, i), kExpected[i]);
  EXPECT_EQ(uniform(1234567, 0), std::ldexp(static_cast<double>(kExpected[0] >> 11), -53));
}

}  // namespace
}  // namespace paligemma
