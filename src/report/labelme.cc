#include "detect/mask.h"
#include "io/json.h"
#include "report/annotations.h"

namespace paligemma {
namespace {

Json shape(const Object& object) {
  const auto& [x1, y1, x2, y2] = object.box;
  std::vector<double> polygon;
  if (object.mask) polygon = outline(*object.mask);
  Json points = Json::array();
  for (std::size_t i = 0; i < polygon.size(); i += 2) points.push_back({polygon[i], polygon[i + 1]});
  if (polygon.empty()) points = {{x1, y1}, {x2, y2}};
  Json json = {{"label", category_name(object)},
               {"points", std::move(points)},
               {"group_id", nullptr},
               {"description", ""},
               {"shape_type", polygon.empty() ? "rectangle" : "polygon"},
               {"flags", Json::object()}};
  if (object.score) json["score"] = *object.score;
  return json;
}

}  // namespace

std::string labelme_annotation(const Result& result, std::string_view picture) {
  Json shapes = Json::array();
  for (const Object& object : result.objects) shapes.push_back(shape(object));
  const Json json = {{"version", "5.0.1"},        {"flags", Json::object()}, {"shapes", std::move(shapes)},
                     {"imagePath", picture},      {"imageData", nullptr},    {"imageHeight", result.height},
                     {"imageWidth", result.width}};
  return dump_json(json) + "\n";
}

}  // namespace paligemma
