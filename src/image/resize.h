// stage 1/8: (height, width, 3) -> (side, side, 3), 8 bits. The aspect ratio is not kept: as in the reference.
#pragma once

#include <paligemma/paligemma.h>

#include <vector>

#include "base/resample.h"

namespace paligemma {

// A part of a picture, in pixels.
struct Area {
  int x = 0, y = 0;
  int width = 0, height = 0;
};

// What the method shows to the model: all of the picture, or for `keras` the square in its middle.
Area seen_area(int width, int height, Resize method);

// `filter` is what the checkpoint's preprocessor asks for; the tf methods are bilinear whatever it says. `automatic` is
// `pillow`. Not for `keras`, whose values are not rounded. Sides are positive.
Picture resize(const Picture& picture, int width, int height, Resize method, Filter filter = Filter::bicubic);

// tf.image.resize(method="bilinear"): (height, width, 3) floats, not rounded. big_vision's op, and resize(), truncate
// them to 8 bits.
std::vector<float> resize_tf(const Picture& picture, int width, int height, bool antialias);

// KerasHub's PaliGemmaImageConverter: the seen area by tf's bilinear, not rounded: (side, side, 3) in [-1, 1], as the
// vision tower takes it.
std::vector<float> resize_keras(const Picture& picture, int side);

}  // namespace paligemma
