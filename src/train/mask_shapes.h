// What a mask codec learns from: masks in small, each of which gives as many maps as are asked for, turned, sheared,
// mirrored and cut.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace paligemma {

// How much a map differs from its mask.
struct ShapeChange {
  double turn = 0;                // radians
  double stretch = 0;             // of the width against the height: exp(stretch)
  double shear = 0;               // columns a row
  bool mirror = false;            // left and right
  std::array<double, 4> cut{};    // of the mask's box, left, top, right and bottom: what lies outside of the picture
  std::array<double, 4> loose{};  // of the box that is left: by how much the map's is larger, or smaller
  double pixels = 0;              // of the longer side, as a smaller picture has them; 0: as they are
  std::array<double, 2> phase{};  // pixels by which the first ones begin before the box
};

// One of those that training sees: some are as they are, or mirrored.
ShapeChange random_change(std::uint64_t seed);
// Of that nothing but the pixels, and not of all: for masks of which there are enough as they are.
ShapeChange random_recut(std::uint64_t seed);

class MaskShape {
 public:
  // Of what a mask has inside of a box, x1 y1 x2 y2 in pixels of the picture; which must be something. Larger sides
  // than kSide are reduced.
  MaskShape(const Mask& mask, const std::array<double, 4>& box);
  // In the smallest box.
  explicit MaskShape(const Mask& mask);

  // Coverages (MaskCodec::kSide, MaskCodec::kSide), as crop_mask() makes them of the changed mask and its box, which is
  // as much larger than the smallest one as the box at first. A cut that would leave nothing is not made.
  std::vector<float> map(const ShapeChange& change) const;

  // Of its pixels, sides and box.
  std::uint64_t fingerprint() const;

  static constexpr int kSide = 96;

 private:
  std::size_t place(int x, int y) const { return std::size_t(y + 1) * (width_ + 2) + (x + 1); }
  float at(double x, double y) const;
  class Changed;

  int width_ = 0, height_ = 0;
  std::array<double, 4> margin_{};  // of the box, left, top, right and bottom, in shares of the smallest one's sides
  // (height + 2, width + 2), 255: all; the outermost pixels are there twice.
  std::vector<std::uint8_t> coverage_;
};

// The smallest part of a mask, in all or of what crop_mask() sees of it in a box, that holds all that is inside: x1 y1
// x2 y2 in pixels of the picture. Nothing is inside: an empty box.
std::array<double, 4> tight_box(const Mask& mask);
std::array<double, 4> tight_box(const Mask& mask, const std::array<double, 4>& box);

}  // namespace paligemma
