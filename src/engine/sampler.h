// Choosing the next token from logits (V).
//
// Greedy, at temperature 0: the first of the largest. Else by chance among what these leave, in transformers' order:
//
//     repetition penalty   the logit of an id in the prompt or the answer is divided by it above zero, multiplied below
//     temperature          logits / temperature
//     top-k                every logit that is at least the k-th largest
//     top-p                the fewest, most probable first, whose probabilities reach p; at least one
//     min-p                those at least so probable as p times the most probable one
//
// The n-th token of an answer takes the n-th number of its seed (base/random.h) and nothing else that is random: what
// runs beside it does not matter.
#pragma once

#include <paligemma/paligemma.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace paligemma {

struct Choice {
  std::int32_t id = 0;
  double logprob = 0;  // of the softmax over all V logits as given: neither the filters nor the penalty count
  float margin = 0;    // from its logit to the best other allowed one
};

// What may be chosen; other ids have a share in the softmax all the same.
struct Allowed {
  std::int64_t count = 0;  // ids from here on are padding rows of the vocabulary
  std::vector<std::int32_t> except{};
  std::vector<std::int32_t> only{};  // where there are any: these and no others

  bool has(std::int32_t id) const {
    const auto is_in = [id](const std::vector<std::int32_t>& ids) { return std::ranges::find(ids, id) != ids.end(); };
    return id < count && !is_in(except) && (only.empty() || is_in(only));
  }
};

Choice choose_greedy(std::span<const float> logits, const Allowed& allowed);

struct Candidate {
  std::int32_t id = 0;
  float share = 0;  // its probability is its part of the sum over all candidates
};

// What the filters leave of `logits`, at a temperature above 0: nothing of minus infinity. `history` is what the
// penalty is for; ids beyond the logits are passed over. Where equal logits straddle the cut of top-p, the first ids
// stay, or all with `keep_ties`.
std::vector<Candidate> filter(std::span<const float> logits, std::span<const std::int32_t> history,
                              const Sampling& sampling, bool keep_ties);

// Token number `index` of an answer.
Choice choose(std::span<const float> logits, const Allowed& allowed, std::span<const std::int32_t> history,
              const Sampling& sampling, bool keep_ties, std::uint64_t index);

// log softmax(logits)[id]; minus infinity for an id beyond the logits.
double logprob_of(std::span<const float> logits, std::int32_t id);

// log sum exp(logits): what a logit is more than its log-probability.
double log_sum_exp(std::span<const float> logits);

}  // namespace paligemma
