#include <algorithm>
#include <functional>

#include "base/error.h"
#include "io/json.h"
#include "report/annotations.h"

namespace paligemma {
namespace {

void append(std::string& array, const Json& element) {
  array += array.empty() ? "\n" : ",\n";
  array += dump_json(element);
}

Json annotation(const Object& object, const Result& result) {
  const auto& [x1, y1, x2, y2] = object.box;
  Json json = {{"bbox", {x1, y1, x2 - x1, y2 - y1}}};
  const auto inside = object.mask ? std::ranges::count_if(object.mask->inside, std::identity()) : 0;
  if (inside > 0) {
    json["area"] = inside;
    json["segmentation"] = {{"size", {result.height, result.width}},
                            {"counts", coco_rle(*object.mask, result.width, result.height)}};
  } else {
    json["area"] = (x2 - x1) * (y2 - y1);
    json["segmentation"] = Json::array();
  }
  json["iscrowd"] = 0;
  if (object.score) json["score"] = *object.score;
  return json;
}

}  // namespace

void CocoDocument::add(int image_id, std::string_view file_name, const Result& result, Categories& categories) {
  append(images_, {{"id", image_id}, {"file_name", file_name}, {"width", result.width}, {"height", result.height}});
  for (const Object& object : result.objects) {
    Json json = {{"id", ++last_annotation_}, {"image_id", image_id}, {"category_id", categories.place(object) + 1}};
    json.update(annotation(object, result));
    append(annotations_, json);
  }
}

std::string CocoDocument::text(const Categories& categories) const {
  std::string names;
  for (std::size_t i = 0; i < categories.names().size(); ++i)
    append(names, {{"id", i + 1}, {"name", categories.names()[i]}});
  return join("{\"images\":[", images_, "],\n\"annotations\":[", annotations_, "],\n\"categories\":[", names, "]}\n");
}

}  // namespace paligemma
