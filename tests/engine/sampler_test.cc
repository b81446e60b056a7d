#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace paligemma {
namespace {

TEST(Sampler, FirstOfEqualLogitsWins) {
  const std::vector<float> logits{1, 3, 3, 2};
  const Choice choice = choose_greedy(logits, 4);
  EXPECT_EQ(choice.id, 1);
  EXPECT_EQ(choice.margin, 0);
}

// By hand: softmax of (ln 1, ln 2, ln 5) is (1/8, 2/8, 5/8).
TEST(Sampler, LogProbabilities) {
  const std::vector<float> logits{std::log(1.0f), std::log(2.0f), std::log(5.0f)};
  EXPECT_NEAR(logprob_of(logits, 0), std::log(1.0 / 8), 1e-6);
  EXPECT_NEAR(choose_greedy(logits, 3).logprob, std::log(5.0 / 8), 1e-6);
  EXPECT_NEAR(choose_greedy(logits, 3).margin, std::log(5.0 / 2), 1e-6);
}

// Padding rows keep their share of the softmax, as in the reference.
TEST(Sampler, PaddingRowsAreNeverChosen) {
  const std::vector<float> logits{std::log(1.0f), std::log(2.0f), std::log(5.0f)};
  const Choice choice = choose_greedy(logits, 2);
  EXPECT_EQ(choice.id, 1);
  EXPECT_NEAR(choice.logprob, std::log(2.0 / 8), 1e-6);
}

TEST(Sampler, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits{1000, 990, -1000};
  EXPECT_NEAR(choose_greedy(logits, 3).logprob, -std::log1p(std::exp(-10.0)), 1e-9);
}

}  // namespace
}  // namespace paligemma
