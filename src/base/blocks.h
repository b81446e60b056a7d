// Numbers of any stored type, and the blocks of 8 and 4 bits that they are rounded to: GGUF's Q8_0 and Q4_0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace paligemma {

// The elements of a block in a row.
struct Block {
  std::uint16_t scale = 0;         // f16
  std::int8_t values[kLongBlock];  // block_length(type) of them; of q4: -8 to 7
};

// block_length(type) numbers, rounded as the format's own reference does it.
Block to_block(const float* x, DType type);

// Of a type that files have.
Block read_block(const std::byte* source, DType type);

// A row of n numbers as row_bytes(type, n) bytes of blocks that files have. The last block is filled up with zeros.
void quantize_row(const float* x, std::int64_t n, DType type, std::byte* to);

// n elements of any type, at any alignment. Of blocks: n elements of one row, or whole blocks.
void widen(const std::byte* source, DType from, std::int64_t n, float* y);

}  // namespace paligemma
