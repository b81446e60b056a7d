// How probable the right answer is to the model, token by token: what is cheap enough to look at all the time.
#pragma once

#include <span>
#include <vector>

namespace paligemma {

// A token of the accepted answer, given what is before it.
struct AnswerToken {
  double logprob = 0;  // natural logarithm
  bool best = false;   // the most probable token here
  double weight = 1;   // 0: does not count
};

// Of one example. `sum` and `mean` are what big_vision's evaluator called perplexity gives, before it takes their means
// over examples; perplexity in the usual sense is exp(sum of `sum` / sum of `weight`).
struct AnswerLoss {
  double sum = 0, mean = 0, weight = 0;
  double best = 0;  // weight of the tokens that are the most probable ones
};

AnswerLoss answer_loss(std::span<const AnswerToken> tokens);

}  // namespace paligemma
