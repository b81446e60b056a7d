#include "base/error.h"
#include "detect/mask.h"
#include "io/json.h"
#include "report/annotations.h"
#include "report/printable.h"

namespace paligemma {
namespace {

constexpr int kDecimals = 6;

std::vector<double> corners(const std::array<double, 4>& box) {
  const auto& [x1, y1, x2, y2] = box;
  return {x1, y1, x2, y1, x2, y2, x1, y2};
}

// x and y in turn.
std::vector<double> values(const Object& object, Task task) {
  const auto& [x1, y1, x2, y2] = object.box;
  if (task != Task::segment) return {(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1};
  std::vector<double> polygon;
  if (object.mask) polygon = outline(*object.mask);
  // A box of two corners among polygons would be read as one of two corners.
  return polygon.empty() ? corners(object.box) : polygon;
}

}  // namespace

std::string yolo_labels(const Result& result, Categories& categories) {
  std::string lines;
  for (const Object& object : result.objects) {
    lines += std::to_string(categories.place(object));
    int side = 0;
    for (const double value : values(object, result.task)) {
      lines += ' ' + fixed(value / (side == 0 ? result.width : result.height), kDecimals);
      side = 1 - side;
    }
    lines += '\n';
  }
  return lines;
}

std::string yolo_classes(const Categories& categories) {
  std::string lines;
  for (const std::string& name : categories.names()) lines += printable(name) + '\n';
  return lines;
}

std::string yolo_data(const Categories& categories) {
  std::string text = join("nc: ", categories.names().size(), "\nnames:\n");
  // A JSON string of printable text is a double-quoted one of YAML.
  for (std::size_t i = 0; i < categories.names().size(); ++i)
    text += join("  ", i, ": ", dump_json(printable(categories.names()[i])), "\n");
  return text;
}

}  // namespace paligemma
