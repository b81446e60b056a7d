#include <algorithm>
#include <cmath>

#include "data/readers.h"
#include "data/shape.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

std::string missing_text(std::string_view problem, const std::string& name) {
  if (problem == "picture_url") return join("expected a file, got the address ", name, ". Try: download it");
  if (problem == "picture_ambiguous") return join("expected one file called ", name, ", got several");
  return join("expected the picture ", name, ", got none");
}

}  // namespace

FileBytes read_annotations(const fs::path& path) {
  return FileBytes::read(path, ErrorKind::usage, std::size_t{8} << 30);
}

std::string shown(const Reading& reading, const fs::path& path) {
  const fs::path relative = path.lexically_relative(reading.data.root);
  return relative.empty() || relative.native().starts_with("..") ? path.string() : relative.generic_string();
}

void report(Reading& reading, std::string code, std::string where, std::string text) {
  reading.data.problems.push_back({std::move(code), std::move(where), std::move(text)});
}

Split split_of(const Reading& reading, const fs::path& path) {
  const fs::path relative = path.lexically_relative(reading.data.root);
  return split_of_path(relative.native().starts_with("..") ? path.filename().string() : relative.generic_string());
}

void add_class(Reading& reading, const std::string& name) {
  if (reading.class_places.emplace(name, reading.data.classes.size()).second) reading.data.classes.push_back(name);
}

void add_sample(Reading& reading, Sample sample, const fs::path& near, const std::string& where) {
  if (sample.picture.path.empty()) {
    auto found = reading.pictures.find(sample.picture.name, near);
    if (found.problem) return report(reading, found.problem, where, missing_text(found.problem, sample.picture.name));
    sample.picture.path = std::move(found.path);
  }
  reading.data.samples.push_back(std::move(sample));
}

SampleTask objects_task(const Reading& reading) { return reading.options.task.value_or(SampleTask::detect); }

std::string id_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_integer() ? dump_json(value) : std::string();
}

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

std::string member_text(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  return value && value->is_string() ? value->get<std::string>() : std::string();
}

std::optional<std::array<double, 4>> box_of_bbox(const Json& value) {
  if (!value.is_array() || value.size() != 4) return {};
  std::array<double, 4> box;
  for (std::size_t i = 0; i < box.size(); ++i) {
    if (!value[i].is_number()) return {};
    box[i] = value[i].get<double>();
    if (!std::isfinite(box[i])) return {};
  }
  return std::array{box[0], box[1], box[0] + box[2], box[1] + box[3]};
}

std::optional<ObjectShape> shape_of_coco(const Json& value) {
  constexpr double kFarthest = 1e6;
  ObjectShape shape;
  if (value.is_array()) {
    for (const Json& polygon : value) {
      if (!polygon.is_array() || polygon.size() < 6 || polygon.size() % 2 != 0) return {};
      std::vector<double>& points = shape.polygons.emplace_back();
      for (const Json& number : polygon) {
        if (!number.is_number() || !(std::abs(number.get<double>()) <= kFarthest)) return {};
        points.push_back(number.get<double>());
      }
    }
    return shape;
  }
  const Json* counts = member(value, "counts");
  if (!counts) return {};
  if (const Json* size = member(value, "size")) {
    if (!size->is_array() || size->size() != 2) return {};
    for (const Json& side : *size)
      if (!side.is_number_integer() || side < 1 || side > 1'000'000) return {};
    shape.runs.height = (*size)[0].get<int>(), shape.runs.width = (*size)[1].get<int>();
  }
  if (counts->is_string()) {
    auto runs = read_run_lengths(counts->get_ref<const std::string&>());
    if (!runs) return {};
    shape.runs.counts = std::move(*runs);
  } else if (counts->is_array()) {
    for (const Json& count : *counts) {
      if (!count.is_number_integer() || count < 0 || count > UINT32_MAX) return {};
      shape.runs.counts.push_back(count.get<std::uint32_t>());
    }
  } else {
    return {};
  }
  return fits(shape.runs) ? std::optional(std::move(shape)) : std::nullopt;
}

}  // namespace paligemma
