#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace paligemma {
namespace {

// Each id once, however often it stands in the history.
void penalise(std::span<float> logits, std::span<const std::int32_t> history, float penalty) {
  std::vector<std::int32_t> ids(history.begin(), history.end());
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  for (const std::int32_t id : ids) {
    if (static_cast<std::size_t>(id) >= logits.size()) continue;
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = logit < 0 ? logit * penalty : logit / penalty;
  }
}

void keep_top_k(std::span<const float> logits, std::size_t k, std::vector<std::int32_t>& ids) {
  if (k == 0 || k >= logits.size()) return;
  std::vector<float> sorted(logits.begin(), logits.end());
  const auto kth = sorted.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::ranges::nth_element(sorted, kth, std::greater<>());
  std::erase_if(ids, [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)] < *kth; });
}

// Summed from the least probable one up, as transformers does, in double.
void keep_top_p(std::span<const float> logits, double p, bool keep_ties, std::vector<std::int32_t>& ids) {
  if (p >= 1) return;
  const auto logit = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
  std::ranges::sort(ids,
                    [&](std::int32_t a, std::int32_t b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; });
  const float most = logit(ids.front());
  double total = 0;
  for (const std::int32_t id : ids) total += static_cast<double>(std::exp(logit(id) - most));
  // Float, as there: what is exactly 1 - p in decimals falls on the same side.
  const auto rest = static_cast<float>(1 - p);
  double below = 0;
  std::size_t kept = ids.size();
  for (; kept > 1; --kept) {
    below +=
        static_cast<double>(static_cast<float>(static_cast<double>(std::exp(logit(ids[kept - 1]) - most)) / total));
    if (static_cast<float>(below) > rest) break;
  }
  if (keep_ties)
    while (kept < ids.size() && logit(ids[kept]) == logit(ids[kept - 1])) ++kept;
  ids.resize(kept);
}

float margin_of(std::span<const float> candidates, std::int32_t id) {
  float other = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (i != static_cast<std::size_t>(id)) other = std::max(other, candidates[i]);
  return candidates[static_cast<std::size_t>(id)] - other;
}

Choice choice_of(std::span<const float> logits, std::span<const float> candidates, std::int32_t id) {
  return {id, logprob_of(logits, id), margin_of(candidates, id)};
}

// The logits up to the padding rows, minus infinity for what may not be. `copy` is what they lie in where they are not
// as given.
std::span<const float> candidates_of(std::span<const float> logits, const Allowed& allowed, std::vector<float>& copy) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const auto below = logits.first(static_cast<std::size_t>(allowed.count));
  if (allowed.except.empty() && allowed.only.empty()) return below;
  if (allowed.only.empty())
    copy.assign(below.begin(), below.end());
  else
    copy.assign(below.size(), kNever);
  for (const std::int32_t id : allowed.only)
    if (id < allowed.count) copy[static_cast<std::size_t>(id)] = below[static_cast<std::size_t>(id)];
  for (const std::int32_t id : allowed.except)
    if (id < allowed.count) copy[static_cast<std::size_t>(id)] = kNever;
  return copy;
}

std::int32_t first_largest(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin());
}

}  // namespace

// A double sum keeps the result exact to f32 for any vocabulary; eight partial sums let the compiler use vectors.
double log_sum_exp(std::span<const float> logits) {
  const float largest = *std::ranges::max_element(logits);
  double sums[8] = {};
  for (std::size_t i = 0; i < logits.size(); ++i) sums[i % 8] += static_cast<double>(std::exp(logits[i] - largest));
  double sum = 0;
  for (const double part : sums) sum += part;
  return static_cast<double>(largest) + std::log(sum);
}

double logprob_of(std::span<const float> logits, std::int32_t id) {
  if (static_cast<std::size_t>(id) >= logits.size()) return -std::numeric_limits<double>::infinity();
  return static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum_exp(logits);
}

Choice choose_greedy(std::span<const float> logits, const Allowed& allowed) {
  std::vector<float> copy;
  const auto candidates = candidates_of(logits, allowed, copy);
  return choice_of(logits, candidates, first_largest(candidates));
}

std::vector<Candidate> filter(std::span<const float> logits, std::span<const std::int32_t> history,
                              const Sampling& sampling, bool keep_ties) {
  // A smaller temperature would overflow, and leaves nothing but the largest as it is.
  constexpr float kColdest = 1e-6f;
  std::vector<float> scaled(logits.begin(), logits.end());
  if (sampling.repetition_penalty != 1) penalise(scaled, history, static_cast<float>(sampling.repetition_penalty));
  const float temperature = std::max(static_cast<float>(sampling.temperature), kColdest);
  for (float& logit : scaled) logit /= temperature;

  std::vector<std::int32_t> ids(scaled.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [&](std::int32_t id) {
    return logits[static_cast<std::size_t>(id)] == -std::numeric_limits<float>::infinity();
  });
  keep_top_k(scaled, static_cast<std::size_t>(sampling.top_k), ids);
  keep_top_p(scaled, sampling.top_p, keep_ties, ids);
  const float most = *std::ranges::max_element(scaled);
  std::vector<Candidate> left;
  for (const std::int32_t id : ids) {
    const float share = std::exp(scaled[static_cast<std::size_t>(id)] - most);
    if (share >= static_cast<float>(sampling.min_p)) left.push_back({id, share});
  }
  return left;
}

Choice choose(std::span<const float> logits, const Allowed& allowed, std::span<const std::int32_t> history,
              const Sampling& sampling, bool keep_ties, std::uint64_t index) {
  std::vector<float> copy;
  const auto candidates = candidates_of(logits, allowed, copy);
  // A damaged model's logits have no order to filter by.
  const bool in_order =
      std::ranges::all_of(logits.first(candidates.size()), [](float logit) { return std::isfinite(logit); });
  if (sampling.temperature == 0 || !in_order) {
    if (sampling.repetition_penalty == 1 || !in_order) return choose_greedy(logits, allowed);
    std::vector<float> penalised(candidates.begin(), candidates.end());
    penalise(penalised, history, static_cast<float>(sampling.repetition_penalty));
    return choice_of(logits, candidates, first_largest(penalised));
  }
  const std::vector<Candidate> left = filter(candidates, history, sampling, keep_ties);
  double total = 0;
  for (const Candidate& candidate : left) total += static_cast<double>(candidate.share);
  const double place = uniform(sampling.seed, index) * total;
  std::size_t at = 0;
  for (double end = 0; at + 1 < left.size(); ++at)
    if (end += static_cast<double>(left[at].share); end > place) break;
  return choice_of(logits, candidates, left[at].id);
}

}  // namespace paligemma
