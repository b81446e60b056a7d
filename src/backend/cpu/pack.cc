#include "backend/cpu/pack.h"

#include <algorithm>
#include <cstring>

#include "base/blocks.h"

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

// What generic/blocks.h says: four neighbours in k of one row are four bytes, or four low or high halves of bytes.
void put_block(const Block& block, std::int64_t index, std::int64_t lane, std::int64_t k, std::byte* panel, DType to) {
  const std::int64_t length = block_length(to);
  std::byte* data = panel + index * length * kPanel / (to == DType::q4 ? 2 : 1);
  for (int i = 0; i < length; ++i) {
    if (to != DType::q4) {
      data[i / 4 * 4 * kPanel + lane * 4 + i % 4] = std::byte(block.values[i]);
    } else {
      data[i / 8 * 4 * kPanel + lane * 4 + i % 4] |= std::byte((block.values[i] + 8) << (i / 4 % 2 * 4));
    }
  }
  std::memcpy(panel + panel_data(k, to) + (index * kPanel + lane) * 2, &block.scale, sizeof block.scale);
}

Block get_block(const std::byte* panel, DType type, std::int64_t index, std::int64_t lane, std::int64_t k) {
  Block block;
  block.scale = read<std::uint16_t>(panel + panel_data(k, type), index * kPanel + lane);
  const std::int64_t length = block_length(type);
  const std::byte* data = panel + index * length * kPanel / (type == DType::q4 ? 2 : 1);
  for (int i = 0; i < length; ++i) {
    if (type != DType::q4) {
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
  const std::int64_t length = block_length(to);
  for (std::int64_t lane = 0; lane < rows; ++lane) {
    for (std::int64_t first = 0; first < k; first += length) {
      float values[kLongBlock];
      const std::int64_t count = std::min(length, k - first);
      for (std::int64_t i = 0; i < count; ++i) values[i] = From::f32(source, lane * k + first + i);
      std::fill(values + count, values + length, 0.0f);
      put_block(to_block(values, to), first / length, lane, k, panel, to);
    }
  }
}

// The four bytes of each row that lie beside those of its neighbours, block by block: 16 rows at a time fill whole
// lines.
void copy_q8(const std::byte* source, std::uint32_t* words) {
  for (int i = 0; i < kQuantBlock / 4; ++i) words[i * kPanel] = read<std::uint32_t>(source, i);
}

// In a block of the file, byte i has elements i and i + 16; in a panel elements i and i + 4 of each eight.
void copy_q4(const std::byte* source, std::uint32_t* words) {
  constexpr std::uint32_t kLow = 0x0f0f0f0f;
  for (int half = 0; half < 2; ++half) {
    const std::uint32_t a = read<std::uint32_t>(source, 2 * half), b = read<std::uint32_t>(source, 2 * half + 1);
    words[half * kPanel] = (a & kLow) | (b & kLow) << 4;
    words[(half + 2) * kPanel] = (a >> 4 & kLow) | (b & ~kLow);
  }
}

void copy_blocks(const std::byte* source, std::int64_t rows, std::int64_t k, std::byte* panel, DType type) {
  constexpr std::int64_t kBlocks = 8;  // of a row in one go: some lines of the source, and a panel's part in the cache
  const std::int64_t blocks = (k + kQuantBlock - 1) / kQuantBlock, bytes = row_bytes(type, kQuantBlock);
  const std::int64_t words = kPanel * (bytes - 2) / 4;  // of a block of all rows
  auto* data = reinterpret_cast<std::uint32_t*>(panel);
  auto* scales = reinterpret_cast<std::uint16_t*>(panel + panel_data(k, type));
  for (std::int64_t first = 0; first < blocks; first += kBlocks) {
    const std::int64_t last = std::min(blocks, first + kBlocks);
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      const std::byte* block = source + (lane * blocks + first) * bytes;
      for (std::int64_t i = first; i < last; ++i, block += bytes) {
        (type == DType::q8 ? copy_q8 : copy_q4)(block + 2, data + i * words + lane);
        scales[i * kPanel + lane] = read<std::uint16_t>(block, 0);
      }
    }
  }
}

}  // namespace

void pack_panel(const std::byte* source, DType from, std::int64_t rows, std::int64_t k, std::byte* panel, DType to) {
  switch (from) {
    case DType::f32: return (in_blocks(to) ? pack_blocks<FromF32> : pack<FromF32>)(source, rows, k, panel, to);
    case DType::bf16: return (in_blocks(to) ? pack_blocks<FromBf16> : pack<FromBf16>)(source, rows, k, panel, to);
    case DType::f16: return (in_blocks(to) ? pack_blocks<FromF16> : pack<FromF16>)(source, rows, k, panel, to);
    case DType::q8:
    case DType::q4: return copy_blocks(source, rows, k, panel, from);
    case DType::int8: break;  // comes from nowhere
  }
}

void unpack_elements(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, std::int64_t first,
                     std::int64_t count, float* y) {
  if (in_blocks(type)) {
    const std::int64_t length = block_length(type);
    const Block block = get_block(panel, type, first / length, lane, k);
    const float scale = f16_to_f32(block.scale);
    for (std::int64_t i = 0; i < count; ++i) y[i] = scale * float(block.values[first % length + i]);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t at = panel_index(first + i, lane, type);
    y[i] = type == DType::bf16 ? FromBf16::f32(panel, at) : FromF32::f32(panel, at);
  }
}

void unpack_row(const std::byte* panel, DType type, std::int64_t lane, std::int64_t k, float factor, float* y) {
  const std::int64_t length = in_blocks(type) ? block_length(type) : k;
  for (std::int64_t first = 0; first < k; first += length) {
    const std::int64_t count = std::min(length, k - first);
    unpack_elements(panel, type, lane, k, first, count, y + first);
    for (std::int64_t i = first; i < first + count; ++i) y[i] *= factor;
  }
}

}  // namespace paligemma
