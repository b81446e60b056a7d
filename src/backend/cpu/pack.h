// The panel layout of kernels.h: sizes, places of elements, and the way in and out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels.h"
#include "base/dtype.h"

namespace paligemma {

constexpr std::int64_t round_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// f16 is stored as f32.
constexpr DType stored_as(DType asked) { return asked == DType::bf16 ? DType::bf16 : DType::f32; }

// Bytes of k elements of all 16 rows of a panel. Even k: also the way to an element of k.
constexpr std::int64_t panel_bytes(std::int64_t k, DType type) {
  return type == DType::bf16 ? kPanel * 2 * round_up(k, 2) : kPanel * 4 * k;
}

// Index of element k of row `lane` in its panel.
constexpr std::int64_t panel_index(std::int64_t k, std::int64_t lane, DType type) {
  return type == DType::bf16 ? (k / 2 * kPanel + lane) * 2 + k % 2 : k * kPanel + lane;
}

// `rows` (1 to 16) rows of k elements of type `from`, at any alignment, into a panel of f32 or bf16.
void pack_panel(const std::byte* source, DType from, std::int64_t rows, std::int64_t k, std::byte* panel, DType to);

// y = factor * (row `lane` of a panel).
void unpack_row(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, float factor, float* y);

// n elements of type `from`, at any alignment.
void widen(const std::byte* source, DType from, std::int64_t n, float* y);

}  // namespace paligemma
