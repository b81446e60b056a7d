// seeds: data/forms/*.yaml data/forms/*.txt
//
// The input is a file of labels, data.yaml, and YAML by itself.
#include "data/yolo.h"
#include "data_folder.h"
#include "io/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> classes = {"cow", "dog"};
  const YoloLabels labels = parse_yolo(text, classes);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  data_folder::require(labels.objects.size() + labels.bad.size() <= lines);
  for (const SampleObject& object : labels.objects) {
    data_folder::require(object.label == "cow" || object.label == "dog");
    for (const double side : object.box) data_folder::require(std::isfinite(side));
    for (const auto& polygon : object.shape.polygons)
      data_folder::require(polygon.size() >= 6 && polygon.size() % 2 == 0);
  }
  try {
    const std::string again = dump_json(parse_yaml(text, "input", ErrorKind::usage));
    parse_json(again, "again", ErrorKind::failure);
  } catch (const Error& error) {
    data_folder::require(error.code() == "yaml");
  }
  if (text.find('/') != text.npos) return 0;  // folders of the machine
  data_folder::read(data, size, "data.yaml", {{"a.txt", "0 0.5 0.5 0.5 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.9\n"}});
  return 0;
}
