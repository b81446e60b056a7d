// Polygons and run lengths -> pixels, the same ones as pycocotools'.
#pragma once

#include <paligemma/paligemma.h>

#include <optional>
#include <vector>

#include "data/sample.h"

namespace paligemma {

// The pixels of a shape in a picture of this size, cut to the smallest rectangle that holds them all; an empty mask for
// none. Run lengths without a size are of this picture. Throws Error{usage, "mask"} for runs of another size.
Mask rasterize(const ObjectShape& shape, int width, int height);

// The rectangle around all points of the polygons; nothing without any.
std::optional<std::array<double, 4>> hull(const std::vector<std::vector<double>>& polygons);

}  // namespace paligemma
