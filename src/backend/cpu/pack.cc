#include "backend/cpu/pack.h"

#include <algorithm>
#include <cstring>

namespace paligemma {
namespace {

template <class Bits>
Bits read(const std::byte* source, std::int64_t i) {
  Bits bits;
  std::memcpy(&bits, source + i * std::int64_t(sizeof bits), sizeof bits);
  return bits;
}

struct FromF32 {
  static float f32(const std::byte* p, std::int64_t i) { return read<float>(p, i); }
  static std::uint16_t bf16(const std::byte* p, std::int64_t i) { return f32_to_bf16(f32(p, i)); }
};
struct FromBf16 {
  static float f32(const std::byte* p, std::int64_t i) { return bf16_to_f32(bf16(p, i)); }
  static std::uint16_t bf16(const std::byte* p, std::int64_t i) { return read<std::uint16_t>(p, i); }
};
struct FromF16 {
  static float f32(const std::byte* p, std::int64_t i) { return f16_to_f32(read<std::uint16_t>(p, i)); }
  static std::uint16_t bf16(const std::byte* p, std::int64_t i) { return f32_to_bf16(f32(p, i)); }
};

// Elements of a row taken in one go: few enough that the panel's part stays in the first cache, and enough that each
// line of the source is read once.
constexpr std::int64_t kRun = 64;

template <class From>
void pack(const std::byte* source, std::int64_t rows, std::int64_t k, std::byte* panel, DType to) {
  auto* as_f32 = reinterpret_cast<float*>(panel);
  auto* as_bf16 = reinterpret_cast<std::uint16_t*>(panel);
  for (std::int64_t first = 0; first < k; first += kRun) {
    const std::int64_t last = std::min(k, first + kRun);
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      if (to == DType::bf16) {
        for (std::int64_t i = first; i < last; ++i) {
          as_bf16[panel_index(i, lane, DType::bf16)] = From::bf16(source, lane * k + i);
        }
      } else {
        for (std::int64_t i = first; i < last; ++i) {
          as_f32[panel_index(i, lane, DType::f32)] = From::f32(source, lane * k + i);
        }
      }
    }
  }
}

template <class From>
void widen_all(const std::byte* source, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = From::f32(source, i);
}

}  // namespace

void pack_panel(const std::byte* source, DType from, std::int64_t rows, std::int64_t k, std::byte* panel, DType to) {
  switch (from) {
    case DType::f32: return pack<FromF32>(source, rows, k, panel, to);
    case DType::bf16: return pack<FromBf16>(source, rows, k, panel, to);
    case DType::f16: return pack<FromF16>(source, rows, k, panel, to);
  }
}

void unpack_row(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, float factor, float* y) {
  for (std::int64_t i = 0; i < k; ++i) {
    const std::int64_t at = panel_index(i, lane, type);
    y[i] = factor * (type == DType::bf16 ? FromBf16::f32(panel, at) : FromF32::f32(panel, at));
  }
}

void widen(const std::byte* source, DType from, std::int64_t n, float* y) {
  switch (from) {
    case DType::f32: return widen_all<FromF32>(source, n, y);
    case DType::bf16: return widen_all<FromBf16>(source, n, y);
    case DType::f16: return widen_all<FromF16>(source, n, y);
  }
}

}  // namespace paligemma
