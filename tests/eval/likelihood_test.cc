// big_vision's perplexity evaluator on random logits (golden/metrics): with a mask, without one, and with a token that
// does not count. Token accuracy by hand.
#include "eval/likelihood.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "eval/metrics.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

std::vector<std::int32_t> whole_numbers(const RawTensor& tensor) {
  std::vector<std::int32_t> out(tensor.bytes.size() / sizeof(std::int32_t));
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

TEST(Likelihood, AsBigVision) {
  const Safetensors tensors = golden_tensors("metrics/perplexity.safetensors");
  constexpr std::size_t kExamples = 5, kTokens = 8, kVocabulary = 50;
  const std::vector<float> logits = values(tensors.tensors.at("logits")),
                           mask = values(tensors.tensors.at("mask_loss"));
  const auto labels = whole_numbers(tensors.others.at("labels"));
  for (const std::string name : {"masked", "no_mask", "pad_token_0"}) {
    const std::vector<float> sum = values(tensors.tensors.at(name + "/sum")),
                             mean = values(tensors.tensors.at(name + "/avg"));
    for (std::size_t example = 0; example < kExamples; ++example) {
      std::vector<AnswerToken> tokens;
      for (std::size_t i = 0; i < kTokens; ++i) {
        // The label of a row of logits is the token after it.
        const std::size_t at = example * (kTokens + 1) + i + 1;
        const std::span row = std::span(logits).subspan((example * kTokens + i) * kVocabulary, kVocabulary);
        AnswerToken& token = tokens.emplace_back(AnswerToken{.logprob = log_probability(row, labels[at])});
        if (name == "masked") token.weight = static_cast<double>(mask[at]);
        if (name == "pad_token_0") token.weight = labels[at] == 0 ? 0 : 1;
      }
      const AnswerLoss loss = answer_loss(tokens);
      EXPECT_NEAR(loss.sum, sum[example], kMetricTolerance * std::max(1.0f, sum[example])) << name;
      EXPECT_NEAR(loss.mean, mean[example], kMetricTolerance * std::max(1.0f, mean[example])) << name;
    }
  }
}

TEST(Likelihood, TokensThatAreTheMostProbable) {
  const std::vector<AnswerToken> tokens = {
      {.logprob = -1, .best = true}, {.logprob = -2}, {.logprob = -4, .best = true, .weight = 0}};
  const AnswerLoss loss = answer_loss(tokens);
  EXPECT_EQ(loss.sum, 3);
  EXPECT_EQ(loss.mean, 1.5);
  EXPECT_EQ(loss.best, 1);
  EXPECT_EQ(answer_loss({}).mean, 0);
}

}  // namespace
}  // namespace paligemma::test
