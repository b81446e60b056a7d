// Pixels that lie over a picture: a drawing turned out at a place and a size, a sign with its words.
//
// All in whole numbers, or in doubles that only add, multiply, divide and take square roots: every machine gives the
// same pixels.
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "scenes/artwork.h"

namespace paligemma::world {

// The pixels inside a picture, 0xAABBGGRR, premultiplied: (height, width). Empty where nothing is inside.
struct Layer {
  int x = 0, y = 0;  // of the top left one
  int width = 0, height = 0;
  std::vector<std::uint32_t> pixels{};
};

// Where a drawing goes: the middle of its ink, in pixels of the picture.
struct Pose {
  double x = 0, y = 0;
  double scale = 1;  // pixels of the picture for one of the drawing
  int degrees = 0;   // -45 to 45
  bool flipped = false;
  int light = 256;  // 256: as drawn
};

// How far ink reaches from its middle, in pixels of the drawing, when it is turned.
struct Reach {
  double x = 0, y = 0;
};
Reach reach_of(const Drawing& drawing, int degrees);

// `side`: of the picture.
Layer turn_out(const Drawing& drawing, const Pose& pose, int side);

// Lays `over` onto `under`, both in one picture, where it is covered.
void lay_over(Layer& under, const Layer& over);
void lay_over(Picture& under, const Layer& over);

}  // namespace paligemma::world
