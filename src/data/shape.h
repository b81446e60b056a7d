// Polygons and run lengths -> pixels, the same ones as pycocotools'.
#pragma once

#include <paligemma/paligemma.h>

#include <optional>
#include <string_view>
#include <vector>

#include "data/sample.h"

namespace paligemma {

// The runs that pycocotools' compressed "counts" hold; nothing for text that is none. The inverse of coco_rle().
std::optional<std::vector<std::uint32_t>> read_run_lengths(std::string_view counts);

// Whether the runs are as many pixels as the picture has, where its size is known.
bool fits(const RunLengths& runs);

// The pixels of a shape in a picture of this size, cut to the smallest rectangle that holds them all; an empty mask for
// none. Run lengths without a size are of this picture. Throws Error{usage, "mask"} for runs of another size.
Mask rasterize(const ObjectShape& shape, int width, int height);

// The rectangle around all points of the polygons; nothing without any.
std::optional<std::array<double, 4>> hull(const std::vector<std::vector<double>>& polygons);

}  // namespace paligemma
