#include "detect/convolution.h"

#include <algorithm>

namespace paligemma {
namespace {

// sum += factor * weights. Its own function so that the loop over channels is the one that becomes vectors.
void add_scaled(float* __restrict sum, float factor, const float* __restrict weights, int count) {
  for (int i = 0; i < count; ++i) sum[i] += factor * weights[i];
}

}  // namespace

int side_after(Convolution::Step step, int side) {
  switch (step) {
    case Convolution::Step::half: return side / 2;
    case Convolution::Step::twice: return side * 2;
    default: return side;
  }
}

int input_of(const Convolution& convolution, int o, int k, int side) {
  int i = 0;
  switch (convolution.step) {
    case Convolution::Step::same: i = o + k - (convolution.kernel - 1) / 2; break;
    case Convolution::Step::half: i = 2 * o + k - std::max(convolution.kernel - 2, 0) / 2; break;
    case Convolution::Step::twice:  // output 2i - 1 + k takes input i
      if ((o + 1 - k) % 2 != 0) return -1;
      i = (o + 1 - k) / 2;
  }
  return i >= 0 && i < side ? i : -1;
}

SquareMap convolve(const Convolution& convolution, const SquareMap& in) {
  SquareMap out{side_after(convolution.step, in.side), convolution.out, {}};
  out.values.resize(std::size_t(out.side) * out.side * out.channels);
  const int kernel = convolution.kernel;
  for (int y = 0; y < out.side; ++y)
    for (int x = 0; x < out.side; ++x) {
      std::copy(convolution.bias.begin(), convolution.bias.end(), out.at(y, x));
      for (int tap = 0; tap < kernel * kernel; ++tap) {
        const int from_y = input_of(convolution, y, tap / kernel, in.side);
        const int from_x = input_of(convolution, x, tap % kernel, in.side);
        if (from_y < 0 || from_x < 0) continue;
        const float* from = in.at(from_y, from_x);
        const float* weights = &convolution.weight[std::size_t(tap) * convolution.in * convolution.out];
        for (int i = 0; i < convolution.in; ++i, weights += convolution.out)
          if (from[i] != 0) add_scaled(out.at(y, x), from[i], weights, convolution.out);  // relu makes half of them 0
      }
    }
  return out;
}

SquareMap relu(SquareMap map) {
  for (float& value : map.values) value = std::max(value, 0.0f);
  return map;
}

}  // namespace paligemma
