#include "train/code_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace paligemma {
namespace {

constexpr double kNearestApart = 6;  // of the exponents of a code and its nearest other one, in the middle of all
constexpr double kLeastShare = 1e-6;

}  // namespace

double choice_sharpness(std::span<const float> codebook, std::size_t width, std::span<const float> labels) {
  std::vector<float> used(labels.begin(), labels.end());
  std::ranges::sort(used);
  used.erase(std::unique(used.begin(), used.end()), used.end());
  if (used.size() < 2) return 1;
  double sum = 0;
  for (const float one : used) {
    double least = std::numeric_limits<double>::infinity();
    for (const float other : used) {
      if (one == other) continue;
      const float *a = &codebook[static_cast<std::size_t>(one) * width],
                  *b = &codebook[static_cast<std::size_t>(other) * width];
      double distance = 0;
      for (std::size_t i = 0; i < width; ++i) {
        const double difference = a[i] - b[i];
        distance += difference * difference;
      }
      least = std::min(least, distance);
    }
    sum += least;
  }
  return sum > 0 ? kNearestApart / (sum / static_cast<double>(used.size())) : 1;
}

// A code's exponent is -sharpness |feature - code|^2, and the gradient 2 sharpness (mean code - label's code).
CodeChoice choose_code(std::span<const float> codebook, std::span<const float> feature, int label, double sharpness,
                       double share, std::span<float> gradient) {
  const std::size_t width = feature.size(), count = codebook.size() / width;
  std::vector<double> chances(count);
  double most = -std::numeric_limits<double>::infinity();
  CodeChoice choice;
  for (std::size_t code = 0; code < count; ++code) {
    float distance = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const float difference = feature[i] - codebook[code * width + i];
      distance += difference * difference;
    }
    chances[code] = -sharpness * distance;
    if (chances[code] > most) most = chances[code], choice.nearest = static_cast<int>(code);
  }
  const auto wanted = static_cast<std::size_t>(label);
  choice.loss = most - chances[wanted];
  double sum = 0;
  for (double& chance : chances) chance = std::exp(chance - most), sum += chance;
  choice.loss += std::log(sum);
  std::vector<double> mean(width);
  for (std::size_t code = 0; code < count; ++code)
    if (chances[code] > kLeastShare * sum)
      for (std::size_t i = 0; i < width; ++i) mean[i] += chances[code] / sum * codebook[code * width + i];
  for (std::size_t i = 0; i < width; ++i)
    gradient[i] = static_cast<float>(2 * sharpness * (mean[i] - codebook[wanted * width + i]) * share);
  return choice;
}

}  // namespace paligemma
