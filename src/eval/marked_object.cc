#include "eval/marked_object.h"

#include <algorithm>

namespace paligemma {
namespace {

double side_product(const std::array<double, 4>& box) { return (box[2] - box[0]) * (box[3] - box[1]); }

double ratio(double both, double found, double truth, bool crowd) {
  if (both <= 0) return 0;
  return both / (crowd ? found : found + truth - both);
}

}  // namespace

double overlap(const MarkedObject& found, const MarkedObject& truth, bool masks) {
  if (masks) {
    if (!found.mask || !truth.mask) return 0;
    return ratio(static_cast<double>(pixels_inside(*found.mask, *truth.mask)),
                 static_cast<double>(pixels_inside(*found.mask)), static_cast<double>(pixels_inside(*truth.mask)),
                 truth.crowd);
  }
  const double width = std::min(found.box[2], truth.box[2]) - std::max(found.box[0], truth.box[0]);
  const double height = std::min(found.box[3], truth.box[3]) - std::max(found.box[1], truth.box[1]);
  if (width <= 0 || height <= 0) return 0;
  return ratio(width * height, side_product(found.box), side_product(truth.box), truth.crowd);
}

double area_of(const MarkedObject& object, bool masks) {
  if (object.area) return *object.area;
  if (masks && object.mask) return static_cast<double>(pixels_inside(*object.mask));
  return side_product(object.box);
}

}  // namespace paligemma
