// The panel layout of kernels.h: sizes, places of elements, and the way in and out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels.h"
#include "base/dtype.h"

namespace paligemma {

constexpr std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// f16 is stored as f32.
constexpr DType stored_as(DType asked) { return asked == DType::f16 ? DType::f32 : asked; }

// Bytes of k elements of all 16 rows of a panel without scales. Even k, whole blocks: also the way to an element of k.
constexpr std::int64_t panel_data(std::int64_t k, DType type) {
  switch (type) {
    case DType::bf16: return kPanel * 2 * round_up(k, 2);
    case DType::q8:
    case DType::int8: return kPanel * round_up(k, block_length(type));
    case DType::q4: return kPanel * round_up(k, kQuantBlock) / 2;
    default: return kPanel * 4 * k;
  }
}

// With scales. Lines of the cache hold one panel only.
constexpr std::int64_t panel_bytes(std::int64_t k, DType type) {
  const std::int64_t length = block_length(type),
                     scales = in_blocks(type) ? kPanel * 2 * ((k + length - 1) / length) : 0;
  return panel_data(k, type) + round_up(scales, 64);
}

// Index of element k of row `lane` in its panel, of a type that is not in blocks.
constexpr std::int64_t panel_index(std::int64_t k, std::int64_t lane, DType type) {
  return type == DType::bf16 ? (k / 2 * kPanel + lane) * 2 + k % 2 : k * kPanel + lane;
}

// `rows` (1 to 16) rows of k elements of type `from`, at any alignment, into a zeroed panel of type `to`. From blocks
// it goes into the same ones only.
void pack_panel(const std::byte* source, DType from, std::int64_t rows, std::int64_t k, std::byte* panel, DType to);

// y = factor * (row `lane` of a panel).
void unpack_row(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, float factor, float* y);

// y = elements [first, first + count) of row `lane` of a panel of k; of types in blocks all of one block.
void unpack_elements(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, std::int64_t first,
                     std::int64_t count, float* y);

}  // namespace paligemma
