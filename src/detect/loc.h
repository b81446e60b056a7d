// Boxes in pixels <-> the four loc numbers that the model reads and writes: loc = pixel * divisor / side.
#pragma once

#include <array>
#include <string>

namespace paligemma {

// The picture that boxes lie in, and how loc numbers divide its sides. All are at least 1.
struct Frame {
  int width = 0;
  int height = 0;
  int divisor = 1023;
};

// y1 x1 y2 x2 -> x1 y1 x2 y2, clipped to the picture.
std::array<double, 4> box_of(const std::array<int, 4>& loc, const Frame& frame);

// x1 y1 x2 y2 (finite) -> y1 x1 y2 x2: the nearest numbers, the even one of two, clipped to 0..1023.
std::array<int, 4> loc_of(const std::array<double, 4>& box, const Frame& frame);

// The tokens of four numbers in 0..1023: "<loc0001><loc0020>...".
std::string loc_text(const std::array<int, 4>& loc);

// Throws Error{usage, "region"} unless the box that a person gave has an area and lies inside the picture `path`.
void check_region(const std::array<double, 4>& box, const Frame& frame, const std::string& path);

}  // namespace paligemma
