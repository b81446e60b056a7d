// LabelMe: a JSON document a picture, whose bytes may be inside.
#include "data/labelme.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "data/readers.h"
#include "data/shape.h"
#include "io/base64.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

using Points = std::vector<double>;  // x and y in turn

std::optional<Points> points_of(const Json& shape) {
  const Json* listed = member(shape, "points");
  if (!listed || !listed->is_array() || listed->empty()) return {};
  Points points;
  for (const Json& point : *listed) {
    if (!point.is_array() || point.size() != 2) return {};
    for (const Json& number : point) {
      if (!number.is_number() || !(std::abs(number.get<double>()) <= 1e6)) return {};
      points.push_back(number.get<double>());
    }
  }
  return points;
}

// `points` are the centre and a point of the rim.
Points circle(const Points& points) {
  constexpr int kCorners = 64;
  const double radius = std::hypot(points[2] - points[0], points[3] - points[1]);
  Points polygon;
  for (int i = 0; i < kCorners; ++i) {
    const double angle = 2 * std::numbers::pi * i / kCorners;
    polygon.push_back(points[0] + radius * std::cos(angle));
    polygon.push_back(points[1] + radius * std::sin(angle));
  }
  return polygon;
}

// A mask is a picture, black outside, that lies with its corner at the first point.
std::optional<RunLengths> mask_runs(const Json& shape, const Points& points, int width, int height) {
  const auto png = decode_base64(member_text(shape, "mask"));
  if (!png || png->empty() || width == 0) return {};
  const Picture inside = decode_picture(*png, {.apply_exif = false, .max_pixels = std::int64_t{width} * height});
  const int left = static_cast<int>(points[0]), top = static_cast<int>(points[1]);
  if (left < 0 || top < 0 || inside.width > width - left || inside.height > height - top) return {};
  RunLengths runs{.width = width, .height = height, .counts = {0}};
  const auto add = [&](bool here, std::int64_t count) {
    if (count == 0) return;
    if (here != (runs.counts.size() % 2 == 0)) runs.counts.push_back(0);
    runs.counts.back() += static_cast<std::uint32_t>(count);
  };
  add(false, std::int64_t{left} * height);
  for (int x = 0; x < inside.width; ++x) {
    add(false, top);
    for (int y = 0; y < inside.height; ++y) add(inside.rgb[3 * (std::size_t(y) * inside.width + x)] != 0, 1);
    add(false, height - top - inside.height);
  }
  add(false, (std::int64_t{width} - left - inside.width) * height);
  return runs;
}

// Nothing, or why the shape is no object.
const char* read_labelme_shape(const Json& shape, const Sample& sample, SampleObject& object) {
  object.label = member_text(shape, "label");
  if (object.label.empty()) return "expected a label";
  const auto points = points_of(shape);
  if (!points) return "expected points [x, y]";
  const std::string type = member(shape, "shape_type") ? member_text(shape, "shape_type") : "polygon";
  const std::array<double, 4> around = *hull({*points});
  object.box = around;
  if (type == "rectangle" && points->size() >= 4) return nullptr;
  if (type == "polygon" && points->size() >= 6) return object.shape.polygons.push_back(*points), nullptr;
  if (type == "circle" && points->size() == 4) {
    object.shape.polygons.push_back(circle(*points));
    object.box = *hull(object.shape.polygons);
    return nullptr;
  }
  if (type != "mask") return "expected a polygon, rectangle, circle or mask";
  auto runs = mask_runs(shape, *points, sample.width, sample.height);
  if (!runs) return "expected a mask that lies inside the picture";
  object.shape.runs = std::move(*runs);
  const Mask pixels = rasterize(object.shape, sample.width, sample.height);
  object.box = {double(pixels.x), double(pixels.y), double(pixels.x + pixels.width), double(pixels.y + pixels.height)};
  return nullptr;
}

// A rectangle that is a part of an object with polygons counts as one.
void as_polygon(SampleObject& object) {
  const auto& [x1, y1, x2, y2] = object.box;
  if (object.shape.empty()) object.shape.polygons.push_back({x1, y1, x2, y1, x2, y2, x1, y2});
}

// Shapes of one group and label are parts of one object.
void add_part(SampleObject& object, SampleObject part) {
  for (std::size_t i = 0; i < 2; ++i) {
    object.box[i] = std::min(object.box[i], part.box[i]);
    object.box[i + 2] = std::max(object.box[i + 2], part.box[i + 2]);
  }
  if (object.shape.empty() && part.shape.empty()) return;
  as_polygon(object), as_polygon(part);
  std::ranges::move(part.shape.polygons, std::back_inserter(object.shape.polygons));
}

}  // namespace

void read_labelme(Reading& reading, const fs::path& file) {
  const std::string where = shown(reading, file);
  const Json document = parse_json(read_annotations(file).text(), where, ErrorKind::usage);
  const Json* shapes = member(document, "shapes");
  if (!shapes || !shapes->is_array()) return report(reading, "bad_row", where, "expected a list of shapes");
  Sample sample{.picture = {.name = member_text(document, "imagePath")}, .task = objects_task(reading)};
  const auto side = [&](std::string_view key) {
    const Json* value = member(document, key);
    return value && value->is_number_integer() && *value > 0 && *value <= 1'000'000 ? value->get<int>() : 0;
  };
  sample.width = side("imageWidth"), sample.height = side("imageHeight");
  const std::int64_t pixels = std::int64_t{sample.width} * sample.height;
  if (pixels == 0 || pixels > UINT32_MAX) sample.width = sample.height = 0;  // more than run lengths hold
  sample.split = split_of(reading, file);
  std::map<std::string, std::size_t> groups;
  for (const Json& shape : *shapes) {
    SampleObject object;
    const char* problem = nullptr;
    try {
      problem = read_labelme_shape(shape, sample, object);
    } catch (const Error&) {
      problem = "expected a mask that is a picture";
    }
    if (problem) {
      report(reading, "bad_shape", where, problem);
      continue;
    }
    add_class(reading, object.label);
    const Json* group = member(shape, "group_id");
    const auto [at, is_new] =
        groups.emplace(group ? object.label + "\n" + dump_json(*group) : std::string(), sample.objects.size());
    if (group && !is_new && object.shape.runs.counts.empty() && sample.objects[at->second].shape.runs.counts.empty()) {
      add_part(sample.objects[at->second], std::move(object));
    } else {
      sample.objects.push_back(std::move(object));
    }
  }
  const bool inside =
      member(document, "imageData") &&
      (sample.picture.name.empty() || reading.pictures.find(sample.picture.name, file.parent_path()).problem);
  if (inside) {
    sample.picture = {.name = where, .path = file, .in_labelme = true};
  } else if (sample.picture.name.empty()) {
    sample.picture.name = file.stem().string();
  }
  add_sample(reading, std::move(sample), file.parent_path(), where);
}

std::vector<std::byte> labelme_picture(const fs::path& file) {
  const Json document = parse_json(read_annotations(file).text(), file.string(), ErrorKind::input);
  auto bytes = decode_base64(member_text(document, "imageData"));
  if (!bytes || bytes->empty())
    fail(ErrorKind::input, "image_decode", "cannot read the picture: ", file.native(),
         ": expected base64 as imageData");
  return std::move(*bytes);
}

}  // namespace paligemma
