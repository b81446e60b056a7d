// Masks that tests draw: ellipses, rectangles, triangles and rings, no two alike.
#pragma once

#include <paligemma/paligemma.h>

#include <cmath>

#include "base/random.h"

namespace paligemma::test {

inline Mask drawn_mask(std::uint64_t seed) {
  auto between = [&, drawn = std::uint64_t{1}](double low, double high) mutable {
    return low + (high - low) * uniform(seed, drawn++);
  };
  constexpr int kSide = 48;
  const double rx = between(8, 22), ry = between(8, 22), turn = between(0, 3.14), hole = between(0.3, 0.6);
  const std::uint64_t kind = splitmix64(seed, 0) % 4;
  Mask mask{.width = kSide, .height = kSide};
  for (int row = 0; row < kSide; ++row)
    for (int column = 0; column < kSide; ++column) {
      const double px = column + 0.5 - kSide / 2.0, py = row + 0.5 - kSide / 2.0;
      const double x = (std::cos(turn) * px + std::sin(turn) * py) / rx;
      const double y = (std::cos(turn) * py - std::sin(turn) * px) / ry;
      const double r = std::hypot(x, y);
      const bool inside = kind == 0   ? r < 1
                          : kind == 1 ? std::fabs(x) < 0.8 && std::fabs(y) < 0.8
                          : kind == 2 ? y < 0.8 && std::fabs(x) < (y + 0.8) / 1.6
                                      : r < 1 && r > hole;
      mask.inside.push_back(inside);
    }
  return mask;
}

// The same object in a picture of that side.
inline Mask in_pixels(const Mask& mask, int side) {
  Mask other{.width = side, .height = side};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      other.inside.push_back(mask.inside[std::size_t((2 * y + 1) * mask.height / (2 * side) * mask.width +
                                                     (2 * x + 1) * mask.width / (2 * side))]);
  return other;
}

}  // namespace paligemma::test
