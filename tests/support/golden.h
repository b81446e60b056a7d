// Reference data in tests/golden, read once.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "io/safetensors.h"

namespace paligemma::test {

inline std::filesystem::path golden(const std::string& name) { return std::filesystem::path(GOLDEN_DIR) / name; }

inline Json golden_json(const std::string& name) {
  const FileBytes file = FileBytes::map(golden(name), ErrorKind::failure);
  return parse_json(file.text(), name, ErrorKind::failure);
}

// A value a line.
inline std::vector<Json> golden_lines(const std::string& name) {
  const FileBytes file = FileBytes::map(golden(name), ErrorKind::failure);
  std::vector<Json> values;
  for (std::string_view rest = file.text(); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (!line.empty()) values.push_back(parse_json(line, name, ErrorKind::failure));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return values;
}

inline Safetensors golden_tensors(const std::string& name) {
  return read_safetensors(FileBytes::map(golden(name), ErrorKind::failure), name);
}

// The values of an f32 tensor, copied so that they are aligned.
inline std::vector<float> values(const HostTensor& tensor) {
  std::vector<float> out(tensor.bytes.size() / sizeof(float));
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

inline std::vector<std::int32_t> ids(const Json& list) { return list.get<std::vector<std::int32_t>>(); }

// sqrt(sum (a - b)^2 / sum b^2).
inline double relative_rms(std::span<const float> actual, std::span<const float> expected) {
  EXPECT_EQ(actual.size(), expected.size());
  if (actual.size() != expected.size()) return INFINITY;
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double d = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    difference += d * d;
    size += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(difference / size);
}

}  // namespace paligemma::test
