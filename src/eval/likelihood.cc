#include "eval/likelihood.h"

namespace paligemma {

AnswerLoss answer_loss(std::span<const AnswerToken> tokens) {
  AnswerLoss loss;
  for (const AnswerToken& token : tokens) {
    if (token.weight == 0) continue;
    loss.sum -= token.weight * token.logprob;
    loss.weight += token.weight;
    if (token.best) loss.best += token.weight;
  }
  if (loss.weight > 0) loss.mean = loss.sum / loss.weight;
  return loss;
}

}  // namespace paligemma
