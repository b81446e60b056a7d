// The parts of a COCO document, which RefCOCO refers to by their ids.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/readers.h"
#include "data/shape.h"

namespace paligemma {

struct CocoImage {
  std::string name{};
  int width = 0, height = 0;
};

struct CocoAnnotation {
  std::int64_t id = -1, image = 0, category = 0;
  std::array<double, 4> box{};
  ObjectShape shape{};
  bool crowd = false;
};

struct CocoDocumentParts {
  std::vector<std::pair<std::int64_t, CocoImage>> image_order;  // with their ids
  std::unordered_map<std::int64_t, std::size_t> images;         // id -> place in image_order
  std::map<std::int64_t, std::string> categories;
  std::vector<std::string> class_order;
  std::vector<CocoAnnotation> annotations;
};

// Reports what it leaves out.
CocoDocumentParts read_coco_document(Reading& reading, const std::filesystem::path& file);

}  // namespace paligemma
