#include "detect/loc.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace paligemma {

std::array<double, 4> box_of(const std::array<int, 4>& loc, const Frame& frame) {
  const auto place = [&](int value, int side) {
    return std::min(static_cast<double>(value) * side / frame.divisor, static_cast<double>(side));
  };
  return {place(loc[1], frame.width), place(loc[0], frame.height), place(loc[3], frame.width),
          place(loc[2], frame.height)};
}

std::array<int, 4> loc_of(const std::array<double, 4>& box, const Frame& frame) {
  const auto number = [&](double pixel, int side) {
    return static_cast<int>(std::clamp(std::nearbyint(pixel * frame.divisor / side), 0.0, 1023.0));
  };
  return {number(box[1], frame.height), number(box[0], frame.width), number(box[3], frame.height),
          number(box[2], frame.width)};
}

std::string loc_text(const std::array<int, 4>& loc) {
  std::string text;
  for (const int number : loc) {
    const std::string digits = std::to_string(number);
    text += "<loc" + std::string(4 - std::min<std::size_t>(digits.size(), 4), '0') + digits + ">";
  }
  return text;
}

void check_region(const std::array<double, 4>& box, const Frame& frame, const std::string& path) {
  const auto& [x1, y1, x2, y2] = box;
  if (0 <= x1 && x1 < x2 && x2 <= frame.width && 0 <= y1 && y1 < y2 && y2 <= frame.height) return;
  fail(ErrorKind::usage, "region", "cannot use the box: ", path,
       ": expected x1,y1,x2,y2 with x1 < x2 and y1 < y2 inside ", frame.width, " x ", frame.height, " pixels, got ", x1,
       ",", y1, ",", x2, ",", y2);
}

}  // namespace paligemma
