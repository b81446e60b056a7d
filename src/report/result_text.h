// stage 8/8: a result -> the plain lines on standard output.
//
// Each line ends in a newline. Fields are separated by one TAB, since labels hold spaces; a TAB inside a field is
// written as \t (report/printable.h), so a line always has the same number of fields.
//
//   others                      [path TAB] answer
//   detect, for each object     [path TAB] label TAB score TAB x1 TAB y1 TAB x2 TAB y2
//   segment, for each object    [path TAB] label TAB score TAB x1 TAB y1 TAB x2 TAB y2 TAB area [TAB mask file]
//
//   score   3 decimals, or - without one
//   x1..y2  pixels of the upright picture, 1 decimal; x2 and y2 exclusive
//   area    pixels that the mask covers, or - without a mask
#pragma once

#include <paligemma/paligemma.h>

#include <span>
#include <string>

namespace paligemma {

struct TextOptions {
  bool with_path = false;                     // begin each line with the picture's path: several pictures were given
  std::span<const std::string> mask_files{};  // segment: where each object's mask was written, "" for nowhere; or none
};

std::string result_text(const Result& result, const TextOptions& options = {});

}  // namespace paligemma
