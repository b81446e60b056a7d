// The codec's convolutions over square maps, each position's channels contiguous. What step says is the only difference
// between them; with a kernel of k by k and torch's numbers
//
//     same   (side, side, in) -> (side, side, out)      padded to keep the size: (k - 1) / 2 before, k / 2 behind
//     half   (side, side, in) -> (side/2, side/2, out)  stride 2, padded as TensorFlow's SAME does at even sides:
//                                                       (k - 2) / 2 before, (k - 1) / 2 behind
//     twice  (side, side, in) -> (2 side, 2 side, out)  transposed, k = 4, stride 2, padding 1
#pragma once

#include <vector>

namespace paligemma {

struct Convolution {
  enum class Step { same, half, twice };

  int in = 0, out = 0, kernel = 0;
  Step step = Step::same;
  std::vector<float> weight, bias;  // (kernel, kernel, in, out), (out)
};

struct SquareMap {
  int side = 0, channels = 0;
  std::vector<float> values;  // (side, side, channels)

  float* at(int y, int x) { return &values[(std::size_t(y) * side + x) * channels]; }
  const float* at(int y, int x) const { return &values[(std::size_t(y) * side + x) * channels]; }
};

// The side of what a map of that side becomes.
int side_after(Convolution::Step step, int side);

// The input row (or column) that row (or column) k of the kernel reads for output row `o`; -1: none, padding.
int input_of(const Convolution& convolution, int o, int k, int side);

// `in` has convolution.in channels, and an even side where it is halved.
SquareMap convolve(const Convolution& convolution, const SquareMap& in);

SquareMap relu(SquareMap map);

}  // namespace paligemma
