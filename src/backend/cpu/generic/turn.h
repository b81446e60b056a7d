// Panels of bf16 turned over, so that the products of kernels.h also multiply with the transposed matrix.
// Internal linkage: see math.h.
#pragma once

#include <cstdint>

namespace paligemma {
namespace {

// As squares of two rows and two elements of k: 8 x 8 squares change places, and inside of each the two in the middle.
inline void turn_bf16_squares(const std::uint16_t* panel, std::uint16_t* turned) noexcept {
  for (int j = 0; j < 8; ++j) {
    for (int m = 0; m < 8; ++m) {
      std::uint64_t square;
      __builtin_memcpy(&square, panel + (j * 16 + 2 * m) * 2, sizeof square);
      square = (square & 0xffff00000000ffffu) | (square & 0xffff0000u) << 16 | (square >> 16 & 0xffff0000u);
      __builtin_memcpy(turned + (m * 16 + 2 * j) * 2, &square, sizeof square);
    }
  }
}

}  // namespace
}  // namespace paligemma
