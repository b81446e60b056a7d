#include "backend/cpu/pack.h"

#include <algorithm>
#include <cmath>
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

// One row's block as GGUF has it.
struct Block {
  std::uint16_t scale = 0;               // f16
  std::int8_t values[kQuantBlock] = {};  // of q4: -8 to 7
};

// What to multiply by instead of dividing; 0 where the scale is too small for that, and is 0 in f16.
float inverse_of(float scale) { return std::fabs(scale) > 1e-30f ? 1 / scale : 0; }

// As the format's own reference rounds: values are divided by the scale before that is rounded to f16.
Block to_q8(const float* x) {
  float most = 0;
  for (int i = 0; i < kQuantBlock; ++i) most = std::max(most, std::fabs(x[i]));
  const float scale = most / 127, inverse = inverse_of(scale);
  Block block{f32_to_f16(scale)};
  for (int i = 0; i < kQuantBlock; ++i) {
    block.values[i] = std::int8_t(std::clamp(std::round(x[i] * inverse), -127.0f, 127.0f));
  }
  return block;
}

// The largest value becomes -8, which has no opposite.
Block to_q4(const float* x) {
  float most = 0;
  for (int i = 0; i < kQuantBlock; ++i) {
    if (std::fabs(x[i]) > std::fabs(most)) most = x[i];
  }
  const float scale = most / -8, inverse = inverse_of(scale);
  Block block{f32_to_f16(scale)};
  for (int i = 0; i < kQuantBlock; ++i) {
    block.values[i] = std::int8_t(std::clamp(std::floor(x[i] * inverse + 8.5f), 0.0f, 15.0f) - 8);
  }
  return block;
}

Block from_gguf(const std::byte* source, DType type) {
  Block block{read<std::uint16_t>(source, 0)};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(source + 2);
  for (int i = 0; i < kQuantBlock; ++i) {
    // In q4 the second half of the elements lies in the high halves of the bytes.
    const int nibble = i < kQuantBlock / 2 ? bytes[i] & 15 : bytes[i - kQuantBlock / 2] >> 4;
    block.values[i] = std::int8_t(type == DType::q8 ? bytes[i] : nibble - 8);
  }
  return block;
}

// What generic/blocks.h says: four neighbours in k of one row are four bytes, or four low or high halves of bytes.
void put_block(const Block& block, std::int64_t index, std::int64_t lane, std::int64_t k, std::byte* panel, DType to) {
  std::byte* data = panel + index * kQuantBlock * kPanel / (to == DType::q8 ? 1 : 2);
  for (int i = 0; i < kQuantBlock; ++i) {
    if (to == DType::q8) {
      data[i / 4 * 4 * kPanel + lane * 4 + i % 4] = std::byte(block.values[i]);
    } else {
      data[i / 8 * 4 * kPanel + lane * 4 + i % 4] |= std::byte((block.values[i] + 8) << (i / 4 % 2 * 4));
    }
  }
  std::memcpy(panel + panel_data(k, to) + (index * kPanel + lane) * 2, &block.scale, sizeof block.scale);
}

Block get_block(const std::byte* panel, DType type, std::int64_t index, std::int64_t lane, std::int64_t k) {
  Block block{read<std::uint16_t>(panel + panel_data(k, type), index * kPanel + lane)};
  const std::byte* data = panel + index * kQuantBlock * kPanel / (type == DType::q8 ? 1 : 2);
  for (int i = 0; i < kQuantBlock; ++i) {
    if (type == DType::q8) {
      block.values[i] = std::int8_t(data[i / 4 * 4 * kPanel + lane * 4 + i % 4]);
    } else {
      const auto byte = std::uint8_t(data[i / 8 * 4 * kPanel + lane * 4 + i % 4]);
      block.values[i] = std::int8_t((byte >> (i / 4 % 2 * 4) & 15) - 8);
    }
  }
  return block;
}

template <class From>
void pack_blocks(const std::byte* source, std::int64_t rows, std::int64_t k, std::byte* panel, DType to) {
  for (std::int64_t lane = 0; lane < rows; ++lane) {
    for (std::int64_t first = 0; first < k; first += kQuantBlock) {
      float values[kQuantBlock] = {};
      const std::int64_t count = std::min(kQuantBlock, k - first);
      for (std::int64_t i = 0; i < count; ++i) values[i] = From::f32(source, lane * k + first + i);
      put_block(to == DType::q8 ? to_q8(values) : to_q4(values), first / kQuantBlock, lane, k, panel, to);
    }
  }
}

void copy_blocks(const std::byte* source, std::int64_t rows, std::int64_t k, std::byte* panel, DType type) {
  const std::int64_t blocks = (k + kQuantBlock - 1) / kQuantBlock, bytes = row_bytes(type, kQuantBlock);
  for (std::int64_t lane = 0; lane < rows; ++lane) {
    for (std::int64_t i = 0; i < blocks; ++i, source += bytes)
      put_block(from_gguf(source, type), i, lane, k, panel, type);
  }
}

template <class From>
void widen_all(const std::byte* source, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = From::f32(source, i);
}

}  // namespace

void pack_panel(const std::byte* source, DType from, std::int64_t rows, std::int64_t k, std::byte* panel, DType to) {
  switch (from) {
    case DType::f32: return (in_blocks(to) ? pack_blocks<FromF32> : pack<FromF32>)(source, rows, k, panel, to);
    case DType::bf16: return (in_blocks(to) ? pack_blocks<FromBf16> : pack<FromBf16>)(source, rows, k, panel, to);
    case DType::f16: return (in_blocks(to) ? pack_blocks<FromF16> : pack<FromF16>)(source, rows, k, panel, to);
    case DType::q8:
    case DType::q4: return copy_blocks(source, rows, k, panel, from);
  }
}

void unpack_row(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, float factor, float* y) {
  if (in_blocks(type)) {
    for (std::int64_t first = 0; first < k; first += kQuantBlock) {
      const Block block = get_block(panel, type, first / kQuantBlock, lane, k);
      const float scale = f16_to_f32(block.scale);
      const std::int64_t count = std::min(kQuantBlock, k - first);
      for (std::int64_t i = 0; i < count; ++i) y[first + i] = factor * (scale * float(block.values[i]));
    }
    return;
  }
  for (std::int64_t i = 0; i < k; ++i) {
    const std::int64_t at = panel_index(i, lane, type);
    y[i] = factor * (type == DType::bf16 ? FromBf16::f32(panel, at) : FromF32::f32(panel, at));
  }
}

void widen(const std::byte* source, DType from, std::int64_t n, float* y) {
  switch (from) {
    case DType::bf16: return widen_all<FromBf16>(source, n, y);
    case DType::f16: return widen_all<FromF16>(source, n, y);
    default: return widen_all<FromF32>(source, n, y);
  }
}

}  // namespace paligemma
