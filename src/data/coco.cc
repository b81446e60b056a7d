// COCO: detection and instances. The lists of a document come in any order and may be very long, so annotations are
// kept small until all pictures and categories are known.
#include "data/coco.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace paligemma {
namespace {

namespace fs = std::filesystem;

struct CocoCategory {
  std::int64_t id = 0;
  std::string name{}, parent{};
};

// Roboflow lists a category that is the parent of all others and that nothing belongs to.
bool is_only_parent(const CocoCategory& category, const std::vector<CocoCategory>& all,
                    const std::vector<CocoAnnotation>& annotations) {
  const auto is_child = [&](const CocoCategory& other) {
    return other.id != category.id && other.parent == category.name;
  };
  return category.parent == "none" && std::ranges::any_of(all, is_child) &&
         std::ranges::none_of(annotations, [&](const CocoAnnotation& one) { return one.category == category.id; });
}

std::optional<std::int64_t> whole_member(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  return value && value->is_number_integer() ? std::optional(value->get<std::int64_t>()) : std::nullopt;
}

int side_of(const Json& image, std::string_view key) {
  const auto side = whole_member(image, key);
  return side && *side > 0 && *side <= 1'000'000 ? static_cast<int>(*side) : 0;
}

class CocoReader {
 public:
  CocoReader(Reading& reading, std::string where) : reading_(reading), where_(std::move(where)) {}

  void read(const std::string& key, const Json& value) {
    if (key == "images") read_image(value);
    if (key == "annotations") read_annotation(value);
    if (key == "categories") read_category(value);
  }

  CocoDocumentParts finish() {
    std::ranges::stable_sort(categories_, {}, &CocoCategory::id);
    for (const CocoCategory& category : categories_) {
      if (is_only_parent(category, categories_, parts_.annotations)) continue;
      parts_.categories[category.id] = category.name;
      parts_.class_order.push_back(category.name);
    }
    return std::move(parts_);
  }

 private:
  void bad(const char* code, const Json& value, std::string_view expected) {
    report(reading_, code, where_, join("expected ", expected, ", got ", dump_json(value).substr(0, 200)));
  }

  void read_image(const Json& value) {
    const auto id = whole_member(value, "id");
    std::string name = member_text(value, "file_name");
    if (!id || name.empty()) return bad("bad_row", value, "an image with an id and a file_name");
    CocoImage image{.name = std::move(name), .width = side_of(value, "width"), .height = side_of(value, "height")};
    if (image.width == 0 || image.height == 0) image.width = image.height = 0;
    if (!parts_.images.emplace(*id, parts_.image_order.size()).second)
      return bad("duplicate_id", value, "each image's id once");
    parts_.image_order.push_back({*id, std::move(image)});
  }

  void read_category(const Json& value) {
    const auto id = whole_member(value, "id");
    if (!id || !member(value, "name")) return bad("bad_row", value, "a category with an id and a name");
    categories_.push_back({*id, member_text(value, "name"), member_text(value, "supercategory")});
  }

  void read_annotation(const Json& value) {
    CocoAnnotation one;
    const auto image = whole_member(value, "image_id"), category = whole_member(value, "category_id");
    if (!image || !category) return bad("bad_row", value, "an annotation with an image_id and a category_id");
    one.id = whole_member(value, "id").value_or(-1), one.image = *image, one.category = *category;
    const Json* crowd = member(value, "iscrowd");
    one.crowd = crowd && (*crowd == 1 || *crowd == true);
    if (const Json* segmentation = member(value, "segmentation")) {
      auto shape = shape_of_coco(*segmentation);
      if (!shape) bad("bad_shape", value, "polygons of three points or more, or run lengths that fit their size");
      if (shape) one.shape = std::move(*shape);
    }
    const Json* bbox = member(value, "bbox");
    const auto box = bbox ? box_of_bbox(*bbox) : hull(one.shape.polygons);
    if (!box) return bad("box_empty", value, "a bbox [x, y, width, height]");
    one.box = *box;
    parts_.annotations.push_back(std::move(one));
  }

  Reading& reading_;
  std::string where_;
  CocoDocumentParts parts_;
  std::vector<CocoCategory> categories_;
};

}  // namespace

CocoDocumentParts read_coco_document(Reading& reading, const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  CocoReader reader(reading, shown(reading, file));
  parse_json_items(bytes.text(), shown(reading, file), ErrorKind::usage,
                   [&](const std::string& key, const Json& value) {
                     reader.read(key, value);
                     return true;
                   });
  return reader.finish();
}

void read_coco(Reading& reading, const fs::path& file) {
  CocoDocumentParts parts = read_coco_document(reading, file);
  const std::string where = shown(reading, file);
  for (const std::string& name : parts.class_order) add_class(reading, name);
  std::vector<Sample> samples;
  for (const auto& [id, image] : parts.image_order) {
    samples.push_back({.picture = {.name = image.name},
                       .width = image.width,
                       .height = image.height,
                       .task = objects_task(reading),
                       .split = split_of(reading, file)});
    // Documents of two splits may count their pictures alike.
    samples.back().id = join(where, "#", id);
    samples.back().source_id = std::to_string(id);
  }
  for (CocoAnnotation& one : parts.annotations) {
    const auto image = parts.images.find(one.image);
    const auto category = parts.categories.find(one.category);
    const std::string place = join(where, ": annotation ", one.id);
    if (image == parts.images.end()) {
      report(reading, "bad_row", place, join("expected the id of an image, got image_id ", one.image));
    } else if (category == parts.categories.end()) {
      report(reading, "unknown_class", place, join("expected the id of a category, got category_id ", one.category));
    } else {
      samples[image->second].objects.push_back(
          {.label = category->second, .box = one.box, .shape = std::move(one.shape), .crowd = one.crowd});
    }
  }
  for (Sample& sample : samples) {
    const std::string place = join(where, ": ", sample.picture.name);
    add_sample(reading, std::move(sample), file.parent_path(), place);
  }
}

}  // namespace paligemma
