// Golden data of this folder: safetensors with integers, which the reader of the library leaves alone, and JSON lines.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "detect/mask_codec.h"
#include "io/file.h"
#include "io/json.h"

namespace paligemma {

inline FileBytes golden_file(const std::string& path) {
  return FileBytes::map(std::filesystem::path(GOLDEN_DIR) / path, ErrorKind::failure);
}

// For a back end that all tests share.
inline MaskCodec read_codec(FileBytes file, std::string_view where) {
  static const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  return MaskCodec::read(std::move(file), where, *backend);
}

inline Json golden_json(const std::string& path) {
  return parse_json(golden_file(path).text(), path, ErrorKind::failure);
}

// The header of a safetensors file, whose length is set.
inline Json golden_header(const FileBytes& file, const std::string& path, std::uint64_t& length) {
  std::memcpy(&length, file.bytes().data(), 8);
  return parse_json(file.text().substr(8, length), path, ErrorKind::failure);
}

inline std::vector<std::int64_t> golden_shape(const std::string& path, const std::string& name) {
  std::uint64_t length = 0;
  return golden_header(golden_file(path), path, length).at(name).at("shape").get<std::vector<std::int64_t>>();
}

// Tensor `name` of a safetensors file, whose elements must have the size of T.
template <class T>
std::vector<T> golden_tensor(const std::string& path, const std::string& name) {
  const FileBytes file = golden_file(path);
  std::uint64_t length = 0;
  const Json header = golden_header(file, path, length);
  const auto offsets = header.at(name).at("data_offsets").get<std::vector<std::size_t>>();
  std::vector<T> values((offsets.at(1) - offsets.at(0)) / sizeof(T));
  std::memcpy(values.data(), file.bytes().data() + 8 + length + offsets.at(0), values.size() * sizeof(T));
  return values;
}

}  // namespace paligemma
