// stage 1/8: (height, width, 3) -> (side, side, 3), 8 bits. The aspect ratio is not kept: as in the reference.
#pragma once

#include <paligemma/paligemma.h>

#include <vector>

#include "base/resample.h"

namespace paligemma {

// `filter` is what the checkpoint's preprocessor asks for; the tf methods are bilinear whatever it says. `automatic` is
// `pillow`. Sides are positive.
Picture resize(const Picture& picture, int width, int height, Resize method, Filter filter = Filter::bicubic);

// tf.image.resize(method="bilinear"): (height, width, 3) floats, not rounded. big_vision's op, and resize(), truncate
// them to 8 bits.
std::vector<float> resize_tf(const Picture& picture, int width, int height, bool antialias);

}  // namespace paligemma
