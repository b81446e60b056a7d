// Data sets of tests: folders with small pictures.
#pragma once

#include <gmock/gmock.h>

#include <string>

#include "data/dataset.h"
#include "image/encode.h"
#include "support/scratch.h"

namespace paligemma::test {

struct DataFolder : Scratch {
  // A picture whose pixels differ from each other: red is x, green y, blue `blue`.
  std::string picture(std::string_view name, int width = 8, int height = 4, int blue = 0) const {
    Picture drawn{.width = width, .height = height};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (const int value : {x, y, blue}) drawn.rgb.push_back(static_cast<std::uint8_t>(value));
    const std::vector<std::byte> bytes = encode_picture(drawn, "png");
    return write(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  Dataset open(std::string_view name = "", const DatasetOptions& options = {}) const {
    return open_dataset(name.empty() ? folder() : folder() / name, options);
  }
};

inline std::vector<std::string> codes(const Dataset& data) {
  std::vector<std::string> codes;
  for (const Problem& problem : data.problems) codes.push_back(problem.code);
  return codes;
}

inline std::vector<std::string> ids(const Dataset& data) {
  std::vector<std::string> ids;
  for (const Sample& sample : data.samples) ids.push_back(sample.id);
  return ids;
}

// "label x1 y1 x2 y2", of six significant digits.
inline std::vector<std::string> boxes(const Sample& sample) {
  std::vector<std::string> boxes;
  for (const SampleObject& object : sample.objects) {
    std::ostringstream text;
    text << object.label;
    for (const double side : object.box) text << ' ' << side;
    boxes.push_back(text.str());
  }
  return boxes;
}

}  // namespace paligemma::test
