#include <array>
#include <charconv>

#include "report/annotations.h"
#include "report/printable.h"

namespace paligemma {
namespace {

constexpr std::string_view kEndOfRow = "\r\n";

std::string field(std::string_view text) {
  const std::string shown = printable(text);
  if (shown.find_first_of(",\"") == shown.npos) return shown;
  std::string quoted = "\"";
  for (const char c : shown) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

// As short as reads back the same.
std::string csv_number(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return {digits.data(), end.ptr};
}

}  // namespace

std::string csv_header(Task task) {
  std::string row = "path,label,score,x1,y1,x2,y2";
  if (task == Task::segment) row += ",rle";
  return row.append(kEndOfRow);
}

std::string csv_rows(const Result& result) {
  std::string rows;
  for (const Object& object : result.objects) {
    rows += field(result.path) + ',' + field(object.label) + ',';
    if (object.score) rows += csv_number(*object.score);
    for (const double side : object.box) rows += ',' + csv_number(side);
    if (result.task == Task::segment) {
      rows += ',';
      if (object.mask) rows += field(coco_rle(*object.mask, result.width, result.height));
    }
    rows += kEndOfRow;
  }
  return rows;
}

}  // namespace paligemma
