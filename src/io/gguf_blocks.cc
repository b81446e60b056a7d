// Blocks of 256 numbers whose parts of 32 or 16 have scales of 6 or 8 bits, which have scales of their own in f16.
#include <cstring>

#include "io/gguf.h"

namespace paligemma {
namespace {

constexpr int kElements = 256;

float f16_at(const std::uint8_t* bytes) { return f16_to_f32(static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8)); }

// The scale and the offset of part i of a Q4_K block, 6 bits each: those of parts 0 to 3 are the low bits of 4 + 4
// bytes, whose high bits go with the low 4 bits of parts 4 to 7 in the last 4 bytes.
std::pair<int, int> scale_and_offset(const std::uint8_t* packed, int i) {
  if (i < 4) return {packed[i] & 63, packed[i + 4] & 63};
  const int low = packed[i + 4];
  return {(low & 15) | (packed[i - 4] >> 6) << 4, low >> 4 | (packed[i] >> 6) << 4};
}

// f16 scale, f16 scale of offsets, 12 bytes of scales and offsets, 128 bytes of elements: 32 bytes have the elements of
// two parts in their halves.
void widen_q4_k(const std::uint8_t* block, float* y) {
  const float scale = f16_at(block), offset_scale = f16_at(block + 2);
  const std::uint8_t *packed = block + 4, *elements = block + 16;
  for (int part = 0; part < 8; ++part) {
    const auto [own_scale, own_offset] = scale_and_offset(packed, part);
    const float factor = scale * static_cast<float>(own_scale), offset = offset_scale * static_cast<float>(own_offset);
    const std::uint8_t* bytes = elements + part / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int element = part % 2 == 0 ? bytes[i] & 15 : bytes[i] >> 4;
      y[part * 32 + i] = factor * static_cast<float>(element) - offset;
    }
  }
}

// 128 bytes of low halves, 64 bytes of high two bits, 16 scales of 8 bits, f16 scale. Of each 128 elements, the low
// halves of 64 bytes are the first 64, and 32 bytes have the high bits of four rows of 32.
void widen_q6_k(const std::uint8_t* block, float* y) {
  const float scale = f16_at(block + 208);
  for (int i = 0; i < kElements; ++i) {
    const int half = i / 128, row = i % 128 / 32, column = i % 32;
    const int low_byte = block[half * 64 + row % 2 * 32 + column], high_byte = block[128 + half * 32 + column];
    const int element = (row < 2 ? low_byte & 15 : low_byte >> 4) | (high_byte >> 2 * row & 3) << 4;
    const auto own_scale = static_cast<std::int8_t>(block[192 + i / 16]);
    y[i] = scale * static_cast<float>(own_scale) * static_cast<float>(element - 32);
  }
}

}  // namespace

void widen_gguf(const std::byte* source, GgufType from, std::int64_t n, float* y) {
  const auto* block = reinterpret_cast<const std::uint8_t*>(source);
  const std::int64_t bytes = find_gguf_type(from)->bytes;
  for (std::int64_t i = 0; i < n; i += kElements, block += bytes)
    (from == GgufType::q4_k ? widen_q4_k : widen_q6_k)(block, y + i);
}

}  // namespace paligemma
