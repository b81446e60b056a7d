// Views of numbers. A view is cheap to copy and owns nothing.
//
// Activations are packed rows: (R, D) f32, one row a position of one sequence, sequences one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/blocks.h"
#include "base/dtype.h"

namespace paligemma {

// (rows, cols) elements, a row contiguous, rows `stride` elements apart.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  MatrixView() = default;
  MatrixView(T* data, std::int64_t rows, std::int64_t cols) : MatrixView(data, rows, cols, cols) {}
  MatrixView(T* data, std::int64_t rows, std::int64_t cols, std::int64_t stride)
      : data(data), rows(rows), cols(cols), stride(stride) {}
  // A view of mutable elements is also a view of const ones.
  template <class U>
    requires(std::is_same_v<const U, T>)
  MatrixView(MatrixView<U> other) : MatrixView(other.data, other.rows, other.cols, other.stride) {}

  T* row(std::int64_t r) const { return data + r * stride; }
  MatrixView row_range(std::int64_t first, std::int64_t count) const { return {row(first), count, cols, stride}; }
  MatrixView col_range(std::int64_t first, std::int64_t count) const { return {data + first, rows, count, stride}; }
};

using View = MatrixView<float>;
using ConstView = MatrixView<const float>;

// A tensor as it lies in a file or another buffer: row-major, little endian, any alignment.
struct HostTensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;

  // Rows [first, first + count) along the first axis.
  HostTensor rows(std::int64_t first, std::int64_t count) const {
    HostTensor part = *this;
    const std::size_t row_bytes = bytes.size() / static_cast<std::size_t>(shape[0]);
    part.bytes =
        bytes.subspan(static_cast<std::size_t>(first) * row_bytes, static_cast<std::size_t>(count) * row_bytes);
    part.shape[0] = count;
    return part;
  }

  std::size_t elements() const {
    std::size_t count = 1;
    for (const std::int64_t n : shape) count *= static_cast<std::size_t>(n);
    return count;
  }

  // The number at place i of all, in row-major order.
  float element(std::size_t i) const {
    float value;
    if (in_blocks(dtype)) {
      float block[kQuantBlock];
      const auto at = static_cast<std::int64_t>(i);
      widen(bytes.data() + at / kQuantBlock * row_bytes(dtype, kQuantBlock), dtype, kQuantBlock, block);
      value = block[at % kQuantBlock];
    } else {
      widen(bytes.data() + i * static_cast<std::size_t>(byte_size(dtype)), dtype, 1, &value);
    }
    return value;
  }
};

// For messages: "[4, 64]".
inline std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace paligemma
