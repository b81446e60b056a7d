#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace paligemma {
namespace {

// A double sum keeps the result exact to f32 for any vocabulary; eight partial sums let the compiler use vectors.
double log_sum_exp(std::span<const float> logits, float largest) {
  double sums[8] = {};
  for (std::size_t i = 0; i < logits.size(); ++i) sums[i % 8] += static_cast<double>(std::exp(logits[i] - largest));
  double sum = 0;
  for (const double part : sums) sum += part;
  return static_cast<double>(largest) + std::log(sum);
}

}  // namespace

Choice choose_greedy(std::span<const float> logits, std::int64_t allowed) {
  const auto candidates = logits.first(static_cast<std::size_t>(allowed));
  const auto best = std::max_element(candidates.begin(), candidates.end());
  float second = -std::numeric_limits<float>::infinity();
  for (auto at = candidates.begin(); at != candidates.end(); ++at)
    if (at != best) second = std::max(second, *at);
  const auto id = static_cast<std::int32_t>(best - candidates.begin());
  return {id, logprob_of(logits, id), *best - second};
}

double logprob_of(std::span<const float> logits, std::int32_t id) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  return static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum_exp(logits, largest);
}

}  // namespace paligemma
