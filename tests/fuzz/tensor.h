#pragma once

#include <span>

#include "base/tensor.h"

// The elements of that type and shape take that many bytes.
inline void expect_size(paligemma::DType dtype, std::span<const std::int64_t> shape, std::uint64_t bytes) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(size), &elements)) __builtin_trap();
  const auto element = static_cast<std::uint64_t>(paligemma::byte_size(dtype));
  if (bytes % element != 0 || bytes / element != elements) __builtin_trap();
}

// Every number that the shape promises is there and can be read.
inline void expect_whole(const paligemma::HostTensor& tensor) {
  expect_size(tensor.dtype, tensor.shape, tensor.bytes.size());
  unsigned sum = 0;
  for (const std::byte byte : tensor.bytes) sum += std::to_integer<unsigned>(byte);
  asm volatile("" : : "r"(sum));  // or nothing would be read
}
