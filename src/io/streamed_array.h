// Arrays on their way into a file. Their bytes come in pieces, so that no array is ever whole in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace paligemma {

using ByteSink = std::function<void(std::span<const std::byte>)>;

// Of an array of this shape; its last dimension makes the rows. Where there are none, they may be of any length.
inline std::uint64_t array_bytes(DType dtype, std::span<const std::int64_t> shape) {
  std::uint64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= static_cast<std::uint64_t>(shape[i]);
  return rows == 0 ? 0 : rows * static_cast<std::uint64_t>(row_bytes(dtype, shape.empty() ? 1 : shape.back()));
}

struct StreamedArray {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::size_t pieces = 0;
  // The bytes of piece i, valid until the next call. Asked for in order, once each.
  std::function<std::span<const std::byte>(std::size_t i)> piece;
  std::function<void()> done;  // the last piece has been used

  std::uint64_t bytes() const { return array_bytes(dtype, shape); }
};

}  // namespace paligemma
