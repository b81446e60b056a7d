// An object as metrics see it: one that is there, or one that was found.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "detect/run_lengths.h"

namespace paligemma {

struct MarkedObject {
  std::string label{};
  std::array<double, 4> box{};       // x1 y1 x2 y2, x2 and y2 exclusive
  std::optional<double> score{};     // of one that was found
  std::optional<RunLengths> mask{};  // of the whole picture
  std::optional<double> area{};      // where the data says its own; else that of the mask or box
  bool crowd = false;                // of one that is there: several things in one, which nobody has to find
};

// Those of one picture.
struct MarkedPicture {
  std::vector<MarkedObject> truth{}, found{};
};

// Intersection over union of a found object and one that is there, a crowd's only over the found one: of boxes, or of
// masks, where an object without a mask overlaps nothing.
double overlap(const MarkedObject& found, const MarkedObject& truth, bool masks);

// What sizes of objects are measured by.
double area_of(const MarkedObject& object, bool masks);

}  // namespace paligemma
