// Pascal VOC: an XML document a picture. Boxes are whole pixels counted from 1, the last ones included.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "data/readers.h"
#include "io/xml.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

std::optional<double> decimal(std::string_view text) {
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

int voc_side(const XmlElement& root, std::string_view key) {
  const XmlElement* size = root.child("size");
  const auto side = size ? decimal(size->text_of(key)) : std::nullopt;
  return side && *side >= 1 && *side <= 1e6 ? static_cast<int>(*side) : 0;
}

std::optional<SampleObject> voc_object(const XmlElement& element) {
  const XmlElement* bounds = element.child("bndbox");
  if (!bounds) return {};
  SampleObject object{.label = std::string(element.text_of("name"))};
  constexpr std::array kEdges = {"xmin", "ymin", "xmax", "ymax"};
  for (std::size_t i = 0; i < kEdges.size(); ++i) {
    const auto edge = decimal(bounds->text_of(kEdges[i]));
    if (!edge) return {};
    object.box[i] = i < 2 ? *edge - 1 : *edge;
  }
  return object.label.empty() ? std::nullopt : std::optional(object);
}

// ImageSets/Main/train.txt and the like: names of documents without their extension, a line each.
std::map<std::string, Split> voc_splits(const fs::path& annotations) {
  std::map<std::string, Split> splits;
  for (const char* name : {"train", "val", "test"}) {
    const fs::path file = annotations.parent_path() / "ImageSets" / "Main" / (std::string(name) + ".txt");
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) continue;
    const FileBytes bytes = read_annotations(file);
    std::string_view text = bytes.text();
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      if (const std::string_view stem = line.substr(0, line.find_first_of(" \t\r")); !stem.empty())
        splits.emplace(stem, split_of_word(name));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  return splits;
}

void read_voc_document(Reading& reading, const fs::path& file, Split split) {
  const std::string where = shown(reading, file);
  const FileBytes bytes = read_annotations(file);
  const XmlElement root = parse_xml(bytes.text(), where, ErrorKind::usage);
  if (root.name != "annotation")
    return report(reading, "bad_row", where, "expected <annotation>, got <" + root.name + ">");
  Sample sample{.width = voc_side(root, "width"), .height = voc_side(root, "height"), .split = split};
  if (sample.width == 0 || sample.height == 0) sample.width = sample.height = 0;
  sample.picture.name = std::string(root.text_of("filename"));
  // Some tools write a picture's name without its extension, and some the name of another one.
  if (sample.picture.name.empty() || reading.pictures.find(sample.picture.name, file.parent_path()).problem)
    sample.picture.name = file.stem().string();
  sample.task = objects_task(reading);
  for (const XmlElement& element : root.children) {
    if (element.name != "object") continue;
    if (auto object = voc_object(element)) {
      add_class(reading, object->label);
      sample.objects.push_back(std::move(*object));
    } else {
      report(reading, "box_empty", where, "expected an object with a name and xmin, ymin, xmax, ymax");
    }
  }
  add_sample(reading, std::move(sample), file.parent_path(), where);
}

}  // namespace

void read_voc(Reading& reading, const std::vector<fs::path>& files) {
  std::map<fs::path, std::map<std::string, Split>> splits;
  for (const fs::path& file : files) {
    const auto [of_folder, is_new] = splits.try_emplace(file.parent_path());
    if (is_new) of_folder->second = voc_splits(file.parent_path());
    const auto said = of_folder->second.find(file.stem().string());
    try {
      read_voc_document(reading, file, said != of_folder->second.end() ? said->second : split_of(reading, file));
    } catch (const Error& error) {
      if (error.code() != "xml" || files.size() == 1) throw;
      report(reading, "bad_row", shown(reading, file), error.what());
    }
  }
}

}  // namespace paligemma
