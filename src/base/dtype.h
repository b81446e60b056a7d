// Element types of stored tensors, and the 16-bit floating point conversions that everything shares.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/quant_block.h"

namespace paligemma {

// Of the last three a row is made of blocks: a scale in f16 and then 8 or 4 bits for each element. q8 and q4 are GGUF's
// Q8_0 and Q4_0, blocks of kQuantBlock elements. int8 has blocks of kLongBlock, which make products of integers faster,
// and is in memory only.
enum class DType : std::uint8_t { f32, bf16, f16, q8, q4, int8 };

constexpr bool in_blocks(DType type) { return type == DType::q8 || type == DType::q4 || type == DType::int8; }

constexpr std::int64_t block_length(DType type) { return type == DType::int8 ? kLongBlock : kQuantBlock; }

// Of an element of a type that is not in blocks.
constexpr int byte_size(DType type) { return type == DType::f32 ? 4 : 2; }

// Of a row of n elements. Of blocks the last one is whole.
constexpr std::int64_t row_bytes(DType type, std::int64_t n) {
  if (!in_blocks(type)) return n * byte_size(type);
  const std::int64_t length = block_length(type);
  return (n + length - 1) / length * (2 + (type == DType::q4 ? length / 2 : length));
}

constexpr std::string_view name(DType type) {
  switch (type) {
    case DType::f32: return "f32";
    case DType::bf16: return "bf16";
    case DType::f16: return "f16";
    case DType::q8: return "q8";
    case DType::q4: return "q4";
    case DType::int8: return "int8";
  }
  return "?";
}

constexpr float bf16_to_f32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

// Rounds to nearest even; a NaN stays a NaN.
constexpr std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

constexpr float round_to_bf16(float value) { return bf16_to_f32(f32_to_bf16(value)); }

constexpr float f16_to_f32(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  if (mantissa == 0) return std::bit_cast<float>(sign);
  std::uint32_t shift = 0;  // subnormal: move the leading bit to the hidden place
  while ((mantissa & 0x400u) == 0) mantissa <<= 1, ++shift;
  return std::bit_cast<float>(sign | ((113u - shift) << 23) | ((mantissa & 0x3ffu) << 13));
}

// Rounds to nearest even, beyond 65504 to infinity; a NaN stays a NaN.
constexpr std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  // Below the smallest normal number the unit is 2^-24: adding 2^-1 leaves it as the last bit of a float.
  if (size < 0x38800000u)
    return static_cast<std::uint16_t>(
        sign | (std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5f) - std::bit_cast<std::uint32_t>(0.5f)));
  const std::uint32_t rounded = size + 0xfffu + (size >> 13 & 1u);
  if (rounded >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  return static_cast<std::uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}

// The nearest value that the type holds, of a type that is not in blocks.
constexpr float round_to(DType type, float value) {
  switch (type) {
    case DType::bf16: return round_to_bf16(value);
    case DType::f16: return f16_to_f32(f32_to_f16(value));
    default: return value;
  }
}

}  // namespace paligemma
