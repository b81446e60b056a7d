// Choosing the next token from logits (V). Greedy: the first of the largest.
#pragma once

#include <cstdint>
#include <span>

namespace paligemma {

struct Choice {
  std::int32_t id = 0;
  double logprob = 0;  // of the softmax over all V logits
  float margin = 0;    // to the second best allowed logit
};

// Ids from `allowed` on are padding rows of the vocabulary: they have a share in the softmax but are never chosen.
Choice choose_greedy(std::span<const float> logits, std::int64_t allowed);

// log softmax(logits)[id].
double logprob_of(std::span<const float> logits, std::int32_t id);

}  // namespace paligemma
