#pragma once

#include <span>

#include "base/tensor.h"

// The elements of that type and shape take that many bytes.
inline void expect_size(paligemma::DType dtype, std::span<const std::int64_t> shape, std::uint64_t bytes) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(size), &elements)) __builtin_trap();
  if (elements == 0) {
    if (bytes != 0) __builtin_trap();
    return;
  }
  const auto row = static_cast<std::uint64_t>(shape.empty() ? 1 : shape.back());
  if (row / 2 > bytes) __builtin_trap();  // an element has 4 bits at least
  const std::uint64_t each = static_cast<std::uint64_t>(paligemma::row_bytes(dtype, static_cast<std::int64_t>(row)));
  std::uint64_t expected = 0;
  if (__builtin_mul_overflow(elements / row, each, &expected) || expected != bytes) __builtin_trap();
}

// Every number that the shape promises is there and can be read.
inline void expect_whole(const paligemma::HostTensor& tensor) {
  expect_size(tensor.dtype, tensor.shape, tensor.bytes.size());
  unsigned sum = 0;
  for (const std::byte byte : tensor.bytes) sum += std::to_integer<unsigned>(byte);
  asm volatile("" : : "r"(sum));  // or nothing would be read
}
