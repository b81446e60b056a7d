// A head for each dense question: a matrix that turns an image token, as the decoder gets it, into what the decoder's
// own output table answers the question with. It is trained with the network and no part of it. The table does not
// learn from it.
#pragma once

#include "ops/ops.h"
#include "train/dense_targets.h"
#include "train/parameters.h"

namespace paligemma {

inline constexpr std::string_view kDenseHeadName = "dense_head.";  // what the names of its parameters begin with

class DenseHead {
 public:
  // Adds its matrices (width, width) to the parameters; must stay where it is.
  DenseHead(Backend& backend, std::int64_t width, std::uint64_t seed, Parameters& parameters);

  // The mean loss of the questions about the things, plus that about their places, plus that about letters: for
  // `tokens` (R, width). On a tape its gradients are found, times `weight`. `soft` as of CrossEntropy.
  double loss(Pass& pass, ConstView tokens, const Weight& table, float cap, const DenseTargets& targets, double weight,
              const SoftTargets* soft) const;

 private:
  std::array<Weight, kDenseQuestions> maps_;
};

}  // namespace paligemma
