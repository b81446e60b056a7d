// stage 2/8: (side, side, 3), 8 bits -> (N, 3 * patch * patch) f32, N = (side / patch)^2 patches row by row. The values
// of a patch lie in the order channel, y, x of the vision tower's convolution weight (E, 3, patch, patch).
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <span>

#include "base/tensor.h"

namespace paligemma {

// value = (u8 * rescale - mean) / std, rounded as transformers does: the product in double, then to float, the rest in
// float. The defaults are those of the published checkpoints.
struct Normalization {
  double rescale = 1.0 / 255.0;
  std::array<float, 3> mean{0.5f, 0.5f, 0.5f};
  std::array<float, 3> std{0.5f, 0.5f, 0.5f};
};

// Writes the patches of a picture whose sides are multiples of `patch` to `out`, which has their shape.
void write_patches(const Picture& picture, int patch, const Normalization& normalization, View out);

// The same of values (height, width, 3) that are ready for the vision tower.
void write_patches(std::span<const float> values, int width, int patch, View out);

}  // namespace paligemma
