// What the tests of this folder ask of tensors and errors.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "support/errors.h"

namespace paligemma {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::vector<float> values(const HostTensor& tensor) {
  std::vector<float> result;
  for (std::size_t i = 0; i + byte_size(tensor.dtype) <= tensor.bytes.size(); i += byte_size(tensor.dtype)) {
    float value = 0;
    std::uint16_t half = 0;
    std::memcpy(tensor.dtype == DType::f32 ? static_cast<void*>(&value) : &half, &tensor.bytes[i],
                byte_size(tensor.dtype));
    if (tensor.dtype == DType::bf16) value = bf16_to_f32(half);
    if (tensor.dtype == DType::f16) value = f16_to_f32(half);
    result.push_back(value);
  }
  return result;
}

}  // namespace paligemma
