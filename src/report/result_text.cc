#include "report/result_text.h"

#include <algorithm>

#include "report/printable.h"

namespace paligemma {
namespace {

std::string object_line(const Object& object) {
  std::string line = printable(object.label) + '\t' + (object.score ? fixed(*object.score, 3) : "-");
  for (const double side : object.box) line += '\t' + fixed(side, 1);
  return line;
}

std::string mask_fields(const Object& object, const std::string* file) {
  std::string fields = "\t-";
  if (object.mask) {
    const auto& inside = object.mask->inside;
    fields = '\t' + std::to_string(inside.size() - static_cast<std::size_t>(std::ranges::count(inside, 0)));
  }
  return file ? fields + '\t' + printable(*file) : fields;
}

}  // namespace

std::string result_text(const Result& result, const TextOptions& options) {
  const std::string path = options.with_path ? printable(result.path) + '\t' : "";
  if (result.task != Task::detect && result.task != Task::segment)
    return path + printable(result.answer.value_or(result.text)) + '\n';

  std::string lines;
  for (std::size_t i = 0; i < result.objects.size(); ++i) {
    lines += path + object_line(result.objects[i]);
    if (result.task == Task::segment)
      lines += mask_fields(result.objects[i], i < options.mask_files.size() ? &options.mask_files[i] : nullptr);
    lines += '\n';
  }
  return lines;
}

}  // namespace paligemma
