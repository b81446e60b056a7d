// The codebook of a mask codec while it is learned: each code follows the mean of the features that become it, over
// the last steps (van den Oord et al. 2017, appendix A), and one that nothing becomes moves to where features are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace paligemma {

class Codebook {
 public:
  // `rows` (codes, width) are those of the network, which change here and must stay where they are. What they are is
  // where they begin, unless start() finds others.
  Codebook(std::span<float> rows, int width);

  // Begins with k-means over features (count, width).
  void start(std::span<const float> features, std::uint64_t seed);

  // Takes in the features (count, width) of a step and which codes they became.
  void follow(std::span<const float> features, std::span<const int> codes, std::uint64_t seed);

  int codes() const { return static_cast<int>(counts_.size()); }
  // What a checkpoint keeps beside the rows.
  std::span<float> counts() { return counts_; }
  std::span<float> sums() { return sums_; }

 private:
  void begin_counting();
  void take(int code, const float* feature);

  std::span<float> rows_;
  int width_;
  std::vector<float> counts_, sums_;  // (codes), (codes, width), of what came over the last steps
};

}  // namespace paligemma
