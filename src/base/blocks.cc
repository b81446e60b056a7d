#include "base/blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace paligemma {
namespace {

// What to multiply by instead of dividing; 0 where the scale is too small for that, and is 0 in f16.
float inverse_of(float scale) { return std::fabs(scale) > 1e-30f ? 1 / scale : 0; }

// std::round() of numbers of at most 127, a NaN as 0: in this form it becomes vectors.
int rounded(float value) {
  const float size = std::fabs(value) <= 127 ? std::fabs(value) : value == value ? 127.0f : 0.0f;
  const int whole = static_cast<int>(size);
  const int nearest = whole + (size - static_cast<float>(whole) >= 0.5f ? 1 : 0);
  return value < 0 ? -nearest : nearest;
}

// Values are divided by the scale before that is rounded to f16.
template <std::int64_t kLength>
Block to_bytes(const float* x) {
  float most = 0;
  for (int i = 0; i < kLength; ++i) most = std::max(most, std::fabs(x[i]));
  const float scale = most / 127, inverse = inverse_of(scale);
  Block block;
  block.scale = f32_to_f16(scale);
  for (int i = 0; i < kLength; ++i) block.values[i] = static_cast<std::int8_t>(rounded(x[i] * inverse));
  return block;
}

// The largest value becomes -8, which has no opposite.
Block to_q4(const float* x) {
  float most = 0;
  for (int i = 0; i < kQuantBlock; ++i) most = std::fabs(x[i]) > std::fabs(most) ? x[i] : most;
  const float scale = most / -8, inverse = inverse_of(scale);
  Block block;
  block.scale = f32_to_f16(scale);
  for (int i = 0; i < kQuantBlock; ++i) {
    const float value = x[i] * inverse + 8.5f;
    const float kept = value > 0 ? std::min(value, 15.0f) : 0.0f;  // a NaN too is 0
    block.values[i] = static_cast<std::int8_t>(static_cast<int>(kept) - 8);
  }
  return block;
}

void write_block(const Block& block, DType type, std::byte* to) {
  std::memcpy(to, &block.scale, sizeof block.scale);
  auto* bytes = reinterpret_cast<std::uint8_t*>(to + sizeof block.scale);
  if (type == DType::q8) {
    std::memcpy(bytes, block.values, kQuantBlock);
    return;
  }
  constexpr int kHalf = kQuantBlock / 2;
  for (int i = 0; i < kHalf; ++i)
    bytes[i] = static_cast<std::uint8_t>((block.values[i] + 8) | (block.values[i + kHalf] + 8) << 4);
}

template <class Bits, class Number>
void widen_all(const std::byte* source, std::int64_t n, float* y, const Number& number) {
  for (std::int64_t i = 0; i < n; ++i) {
    Bits bits;
    std::memcpy(&bits, source + i * static_cast<std::int64_t>(sizeof bits), sizeof bits);
    y[i] = number(bits);
  }
}

void widen_blocks(const std::byte* source, DType type, std::int64_t n, float* y) {
  for (std::int64_t first = 0; first < n; first += kQuantBlock, source += row_bytes(type, kQuantBlock)) {
    const Block block = read_block(source, type);
    const float scale = f16_to_f32(block.scale);
    const std::int64_t count = std::min(kQuantBlock, n - first);
    for (std::int64_t i = 0; i < count; ++i) y[first + i] = scale * static_cast<float>(block.values[i]);
  }
}

}  // namespace

Block to_block(const float* x, DType type) {
  return type == DType::q4 ? to_q4(x) : type == DType::q8 ? to_bytes<kQuantBlock>(x) : to_bytes<kLongBlock>(x);
}

Block read_block(const std::byte* source, DType type) {
  Block block;
  std::memcpy(&block.scale, source, sizeof block.scale);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(source + sizeof block.scale);
  if (type == DType::q8) {
    std::memcpy(block.values, bytes, kQuantBlock);
    return block;
  }
  constexpr int kHalf = kQuantBlock / 2;  // the second half of the elements lies in the high halves of the bytes
  for (int i = 0; i < kHalf; ++i) {
    block.values[i] = static_cast<std::int8_t>((bytes[i] & 15) - 8);
    block.values[i + kHalf] = static_cast<std::int8_t>((bytes[i] >> 4) - 8);
  }
  return block;
}

void quantize_row(const float* x, std::int64_t n, DType type, std::byte* to) {
  for (std::int64_t first = 0; first < n; first += kQuantBlock, to += row_bytes(type, kQuantBlock)) {
    if (n - first >= kQuantBlock) {
      write_block(to_block(x + first, type), type, to);
      continue;
    }
    float last[kQuantBlock] = {};
    std::copy(x + first, x + n, last);
    write_block(to_block(last, type), type, to);
  }
}

void widen(const std::byte* source, DType from, std::int64_t n, float* y) {
  switch (from) {
    case DType::f32: std::memcpy(y, source, static_cast<std::size_t>(n) * sizeof *y); break;
    case DType::bf16: widen_all<std::uint16_t>(source, n, y, bf16_to_f32); break;
    case DType::f16: widen_all<std::uint16_t>(source, n, y, f16_to_f32); break;
    case DType::q8:
    case DType::q4: widen_blocks(source, from, n, y); break;
    case DType::int8: break;  // comes from nowhere
  }
}

}  // namespace paligemma
