// stage 7/8, last part: a 64x64 map -> the mask of an object in its picture.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <span>

#include "detect/parse.h"

namespace paligemma {

// The map is resized to the box as Pillow's antialiased BILINEAR does on floats, and is inside where it is > 0. `loc` is
// y1 x1 y2 x2.
//
// MaskProfile::standard rounds the box's edges to the nearest pixel edge (half up) and keeps at least one pixel each way;
// evaluator truncates them, as big_vision's evaluator, where a box that becomes empty gives a mask without pixels.
Mask paste_mask(std::span<const float> map, const std::array<int, 4>& loc, const Frame& frame, MaskProfile profile);

}  // namespace paligemma
