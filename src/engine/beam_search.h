// Beam search for the answer to one prompt. Knows no model: it is told how each live hypothesis can go on, and says
// which hypotheses are live next.
//
//     mean  transformers' (early_stopping false): a hypothesis scores its log-probability / length^length_penalty. Of
//     the
//           2 n best continuations of all n hypotheses the n best that do not end live on; one that ends among the n
//           best joins the n best finished ones. Ends when those are n and the best live hypothesis, at its length now,
//           does not beat the last of them. At the limit the live ones count as finished.
//     sum   big_vision's: a hypothesis scores its log-probability. At every step each live one is also closed with eos,
//           and the best ever closed is kept. The n best of the continuations that do not end, n + 1 looked at for each
//           hypothesis, live on. Ends when no live one scores as much as that best one; there a batch goes on until all
//           its rows are done, here each prompt is searched as if alone. An answer always ends with eos.
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler.h"

namespace paligemma {

// How a hypothesis can go on.
struct Continuations {
  struct Next {
    std::int32_t id = 0;
    double logprob = 0;
  };
  std::vector<Next> best;  // the most probable first
  double eos = 0;          // log-probability of ending now
};

struct Hypothesis {
  std::vector<std::int32_t> ids;
  std::vector<double> logprobs;
  double sum = 0;    // of logprobs
  double score = 0;  // of a finished one
};

class BeamSearch {
 public:
  BeamSearch(const Beams& beams, std::int32_t eos, int max_tokens);

  // From logits (V). Where eos is not allowed, ending has probability 0.
  Continuations continuations(std::span<const float> logits, const Allowed& allowed) const;

  // Takes the continuations of each live hypothesis, at first of the empty one, and returns which of them, by place,
  // each hypothesis that is live now goes on. Empty: the search has ended.
  std::vector<std::size_t> advance(std::span<const Continuations> of_live);

  const std::vector<Hypothesis>& live() const { return live_; }
  // The best first; not empty when the search has ended.
  const std::vector<Hypothesis>& finished() const { return finished_; }

 private:
  std::vector<std::size_t> advance_mean(std::span<const Continuations> of_live);
  std::vector<std::size_t> advance_sum(std::span<const Continuations> of_live);
  std::size_t count() const { return static_cast<std::size_t>(beams_.count); }
  void finish(Hypothesis hypothesis, std::size_t most);

  Beams beams_;
  std::int32_t eos_;
  int max_tokens_;
  int length_ = 0;  // of the live hypotheses
  std::vector<Hypothesis> live_{Hypothesis{}};
  std::vector<Hypothesis> finished_;
};

}  // namespace paligemma
