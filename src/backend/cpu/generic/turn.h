// Matrices turned over, so that the products of kernels.h also multiply with the transposed one.
// Internal linkage: see math.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels.h"

namespace paligemma {
namespace {

inline void turn_words_singly(const float* from, std::ptrdiff_t from_stride, float* to,
                              std::ptrdiff_t to_stride) noexcept {
  for (int c = 0; c < 16; ++c)
    for (int r = 0; r < 16; ++r) __builtin_memcpy(to + c * to_stride + r, from + r * from_stride + c, sizeof(float));
}

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

// Element kElement of k of the words of a panel in blocks of 8 bits, or of 4 with kHalves: generic/blocks.h.
template <class I, bool kHalves, int kElement>
I element_of(I word) {
  if constexpr (kHalves) {
    return I::template nibble<2 * (kElement % 4) + kElement / 4>(word);
  } else {
    return I::template byte<kElement>(word);
  }
}

template <class V, class I, bool kHalves, int kElement = 0>
[[gnu::always_inline]] inline void widen_word(I word, decltype(V::broadcast(0)) scale, std::uint16_t* panel) {
  if constexpr (kElement < (kHalves ? 8 : 4)) {
    V::store_pairs(panel, element_of<I, kHalves, kElement>(word).to_float() * scale,
                   element_of<I, kHalves, kElement + 1>(word).to_float() * scale);
    widen_word<V, I, kHalves, kElement + 2>(word, scale, panel + 2 * kPanel);
  }
}

template <class V, class I, bool kHalves>
void widen_blocks(const std::byte* words, const std::uint16_t* scales, std::uint16_t* panel) noexcept {
  constexpr int kInWord = kHalves ? 8 : 4;
  for (int lane = 0; lane < kPanel; lane += V::width) {
    const auto scale = V::load_f16(scales + lane);
    for (int k = 0; k < kPanel; k += kInWord)
      widen_word<V, I, kHalves>(I::load(words + (k / kInWord * kPanel + lane) * 4), scale,
                                panel + k * kPanel + 2 * lane);
  }
}

// What turning a matrix of any type needs, but for turn_bf16.
template <class V, class I>
void use_widening(Kernels& kernels) {
  kernels.widen_blocks[0] = widen_blocks<V, I, false>;
  kernels.widen_blocks[1] = widen_blocks<V, I, true>;
}

}  // namespace
}  // namespace paligemma
