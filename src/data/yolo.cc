#include "data/yolo.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/readers.h"
#include "data/shape.h"
#include "io/yaml.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    lines.push_back(line);
    begin = end + 1;
  }
  return lines;
}

// Nothing unless the line is numbers that are near shares of a side.
std::optional<std::vector<double>> numbers_of(std::string_view line) {
  std::vector<double> numbers;
  const char* at = line.data();
  const char* end = at + line.size();
  while (at != end) {
    if (*at == ' ' || *at == '\t') {
      ++at;
      continue;
    }
    double number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc() || !(std::abs(number) <= 1e6) ||
        (read.ptr != end && *read.ptr != ' ' && *read.ptr != '\t'))
      return {};
    numbers.push_back(number);
    at = read.ptr;
  }
  return numbers;
}

// Nothing, or what is wrong with the numbers behind the class.
const char* yolo_box(const std::vector<double>& numbers, SampleObject& object) {
  if (numbers.size() == 5) {
    const double x = numbers[1], y = numbers[2], width = numbers[3], height = numbers[4];
    object.box = {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
    return nullptr;
  }
  if (numbers.size() < 7 || numbers.size() % 2 == 0) return "expected a class and 4 numbers, or 3 points and more";
  object.shape.polygons.emplace_back(numbers.begin() + 1, numbers.end());
  object.box = *hull(object.shape.polygons);
  return nullptr;
}

std::vector<std::string> yolo_names(const Json& data, const std::string& where) {
  std::vector<std::string> names;
  const Json* listed = member(data, "names");
  const auto refuse = [&](std::string_view got) {
    fail(ErrorKind::usage, "data_unknown", "cannot read the data: ", where,
         ": names: expected a list, or a map from 0 on, got ", got);
  };
  if (!listed || !listed->is_structured()) refuse("none");
  std::size_t place = 0;
  for (const auto& [key, name] : listed->items()) {
    if (listed->is_object() && key != std::to_string(place)) refuse("the key " + key.substr(0, 100));
    ++place;
    names.push_back(name.is_string() ? name.get<std::string>() : dump_json(name));
  }
  return names;
}

// An entry of train, val or test: where it lies. Roboflow's "../train/images" means a folder beside data.yaml.
std::optional<fs::path> yolo_entry(const Json& data, const std::string& entry, const fs::path& yaml_folder) {
  std::string plain = entry;
  std::ranges::replace(plain, '\\', '/');
  std::vector<fs::path> bases;
  if (const std::string path = member_text(data, "path"); !path.empty()) bases.push_back(yaml_folder / path);
  bases.push_back(yaml_folder);
  std::error_code ignored;
  for (;;) {
    for (const fs::path& base : bases)
      if (fs::exists(base / plain, ignored)) return (base / plain).lexically_normal();
    if (!plain.starts_with("../") && !plain.starts_with("./")) return {};
    plain.erase(0, plain.find('/') + 1);
  }
}

// ".../images/a/b.jpg" -> ".../labels/a/b.txt", of the last such folder; else beside the picture.
fs::path labels_of(const fs::path& picture) {
  std::string path = fs::path(picture).replace_extension(".txt").generic_string();
  const std::size_t at = path.rfind("/images/");
  if (at != path.npos) path.replace(at, 8, "/labels/");
  return path;
}

std::vector<fs::path> pictures_of(const fs::path& entry) {
  std::vector<fs::path> pictures;
  std::error_code ignored;
  if (fs::is_directory(entry, ignored)) {
    for (const std::string& name : list_files(entry).files)
      if (is_picture_name(name)) pictures.push_back(entry / name);
  } else {
    const FileBytes bytes = read_annotations(entry);
    for (const std::string_view line : lines_of(bytes.text()))
      if (!line.empty() && line.find('\0') == line.npos)
        pictures.push_back((entry.parent_path() / line).lexically_normal());
  }
  return pictures;
}

void read_yolo_picture(Reading& reading, const fs::path& picture, const fs::path& labels,
                       const std::vector<std::string>& classes, Split split) {
  Sample sample{.task = objects_task(reading), .unit = Unit::shares, .split = split};
  sample.picture = {.name = shown(reading, picture), .path = picture};
  std::error_code ignored;
  if (!fs::is_regular_file(picture, ignored)) sample.picture.path.clear();
  if (fs::is_regular_file(labels, ignored)) {
    YoloLabels read = parse_yolo(read_annotations(labels).text(), classes);
    for (BadLine& bad : read.bad)
      report(reading, bad.code, join(shown(reading, labels), ":", bad.line), std::move(bad.text));
    sample.objects = std::move(read.objects);
  }
  add_sample(reading, std::move(sample), picture.parent_path(), shown(reading, labels));
}

}  // namespace

YoloLabels parse_yolo(std::string_view text, const std::vector<std::string>& classes) {
  YoloLabels labels;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    if (line.empty()) continue;
    const auto numbers = numbers_of(line);
    SampleObject object;
    if (!numbers) {
      labels.bad.push_back({number, "bad_row", join("expected numbers, got ", line.substr(0, 100))});
    } else if (const char* problem = yolo_box(*numbers, object)) {
      labels.bad.push_back({number, "bad_row", join(problem, ", got ", numbers->size(), " numbers")});
    } else if (const double place = numbers->front();
               place != std::floor(place) || place < 0 || place >= classes.size()) {
      labels.bad.push_back(
          {number, "unknown_class", join("expected a class from 0 to below ", classes.size(), ", got ", place)});
    } else {
      object.label = classes[static_cast<std::size_t>(place)];
      labels.objects.push_back(std::move(object));
    }
  }
  return labels;
}

void read_yolo(Reading& reading, const fs::path& data_yaml) {
  const std::string where = shown(reading, data_yaml);
  const Json data = parse_yaml(read_annotations(data_yaml).text(), where, ErrorKind::usage);
  const std::vector<std::string> classes = yolo_names(data, where);
  for (const std::string& name : classes) add_class(reading, name);
  bool any = false;
  for (const char* key : {"train", "val", "valid", "test"}) {
    const Json* entries = member(data, key);
    if (!entries) continue;
    for (const Json& entry : entries->is_array() ? *entries : Json::array({*entries})) {
      const auto place =
          entry.is_string() ? yolo_entry(data, entry.get<std::string>(), data_yaml.parent_path()) : std::nullopt;
      if (!place) {
        report(reading, "bad_row", join(where, ": ", key),
               "expected a folder of pictures or a list of them, got " + dump_json(entry));
        continue;
      }
      any = true;
      for (const fs::path& picture : pictures_of(*place))
        read_yolo_picture(reading, picture, labels_of(picture), classes, split_of_word(key));
    }
  }
  if (any) return;
  // What report/annotations.h writes says the names alone: labels lie beside it.
  for (const std::string& name : list_files(data_yaml.parent_path()).files) {
    if (!is_picture_name(name)) continue;
    const fs::path picture = data_yaml.parent_path() / name;
    read_yolo_picture(reading, picture, labels_of(picture), classes,
                      split_of_path(fs::path(name).parent_path().generic_string()));
  }
}

void read_yolo_labels(Reading& reading, const std::vector<fs::path>& files, const fs::path& names) {
  std::vector<std::string> classes;
  const FileBytes bytes = read_annotations(names);
  for (const std::string_view line : lines_of(bytes.text()))
    if (!line.empty()) classes.emplace_back(line);
  for (const std::string& name : classes) add_class(reading, name);
  for (const fs::path& labels : files) {
    fs::path near = labels.parent_path();
    const std::string folder = near.generic_string();
    if (const std::size_t at = (folder + "/").rfind("/labels/"); at != folder.npos)
      near = (folder + "/").replace(at, 8, "/images/");
    const auto found = reading.pictures.find(labels.stem().string(), near);
    const fs::path picture = found.problem ? near / labels.stem() : found.path;
    read_yolo_picture(reading, picture, labels, classes, split_of(reading, labels));
  }
}

}  // namespace paligemma
