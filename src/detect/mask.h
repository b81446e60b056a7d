// stage 7/8: map (64,64) f32 and a box -> the pixels of the object, (height,width) of the box, 0 or 1
//
// The map is resized to the box with Pillow's antialiased bilinear filter and then cut at zero. Which pixels the box
// is:
//
//     standard   each edge rounded to the nearest pixel edge, halves upwards; a side that vanishes so becomes the one
//                pixel that holds the middle of the box
//     evaluator  each edge truncated as big_vision's evaluator does, int(loc / divisor * side) in double; a side that
//                vanishes so makes an empty mask
#pragma once

#include <array>
#include <span>
#include <vector>

#include "detect/parse.h"

namespace paligemma {

// The pixels [first, last) of one axis.
struct PixelRange {
  int first = 0, last = 0;
  int size() const { return last - first; }
};

// The pixels between two edges of a box inside [0, side], as "standard" above says.
PixelRange pixels_between(double low, double high, int side);

// `map` is (MaskCodec::kSide, MaskCodec::kSide). The object's box lies in the frame. Throws Error{usage, "mask"} for a
// map of another size.
Mask paste_mask(std::span<const float> map, const Object& object, const Frame& frame, MaskProfile profile);

// The same as crop_mask() below rounds them: halves to the even one.
PixelRange pixels_cropped(double low, double high);

// The other way, as big_vision makes targets: the pixels of a mask inside `box`, x1 y1 x2 y2 in pixels of the picture,
// resized with TensorFlow's antialiased bilinear filter -> coverages (MaskCodec::kSide, MaskCodec::kSide) in 0..1.
// Edges are rounded to pixels, halves to the even one; a side that vanishes so becomes the one pixel that holds its
// middle. What lies outside of the mask's rectangle is outside of the object. Throws Error{usage, "mask"} for a box
// without an inside or of more than 2^30 pixels, and as check_mask().
std::vector<float> crop_mask(const Mask& mask, const std::array<double, 4>& box);

// Throws Error{usage, "mask"} when the mask's pixels are not width * height.
void check_mask(const Mask& mask);

// One closed polygon x1 y1 x2 y2 ... for tools that want one for each object: all rings of polygons(), joined to the
// first corner by seams that are walked there and back and so hold no area. Filling it by the even-odd rule gives the
// mask back. Empty for an empty mask.
std::vector<double> outline(const Mask& mask);

}  // namespace paligemma
