// YOLO's label files: a line for each object, all numbers as shares of the picture's sides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/sample.h"

namespace paligemma {

// A line that is no object, by its number from 1, and why.
struct BadLine {
  std::size_t line = 0;
  const char* code = "";  // "bad_row", "unknown_class"
  std::string text{};
};

struct YoloLabels {
  std::vector<SampleObject> objects;
  std::vector<BadLine> bad;
};

// "class cx cy w h", or "class x1 y1 x2 y2 ..." of three points or more: polygons, and the four corners of turned
// boxes, whose box is their hull.
YoloLabels parse_yolo(std::string_view text, const std::vector<std::string>& classes);

}  // namespace paligemma
