// A feature's choice of a code, learned as a classifier's: by the cross entropy of a softmax over how near codes are.
#pragma once

#include <span>

namespace paligemma {

// By what squares of distances are multiplied: so much that a feature that lies on one code is, as codes that `labels`
// name have neighbours among themselves, certain to have chosen it.
double choice_sharpness(std::span<const float> codebook, std::size_t width, std::span<const float> labels);

struct CodeChoice {
  int nearest = 0;
  double loss = 0;
};

// `gradient` becomes that of `share` of the loss.
CodeChoice choose_code(std::span<const float> codebook, std::span<const float> feature, int label, double sharpness,
                       double share, std::span<float> gradient);

}  // namespace paligemma
