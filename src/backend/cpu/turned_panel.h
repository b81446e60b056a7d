// A matrix turned over, panel by panel, so that the products of kernels.h also multiply with its transposed.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>

#include "backend/backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {

// Lines of pairs of bf16, [8][16][2], as 16 lines of f32.
inline void widen_pairs(const std::uint16_t* pairs, float* out) {
  for (std::int64_t line = 0; line < kPanel; line += 2)
    for (std::int64_t i = 0; i < kPanel; ++i) {
      std::uint32_t pair;
      std::memcpy(&pair, pairs + line * kPanel + 2 * i, sizeof pair);
      out[line * kPanel + i] = std::bit_cast<float>(pair << 16);
      out[(line + 1) * kPanel + i] = std::bit_cast<float>(pair & 0xffff0000u);
    }
}

// Sixteen columns of the matrix from `column` on, its rows [first, first + count): a panel [count][16] of f32, or
// [count / 2][16][2] of bf16. `first` is a multiple of 16; what is missing at the edges is zero.
class TurnedPanel {
 public:
  TurnedPanel(const Weight& weight, const Kernels& kernels, DType as) : weight_(weight), kernels_(kernels), as_(as) {}

  void make(std::int64_t first, std::int64_t count, std::int64_t column, std::byte* out) const {
    const std::int64_t bytes = panel_data(kPanel, as_), stride = panel_bytes(weight_.cols, weight_.dtype);
    const std::byte* panel = weight_.storage.get() + first / kPanel * stride;
    const bool pairs = weight_.dtype == DType::bf16 && column + kPanel <= round_up(weight_.cols, 2);
    const std::int64_t scales =
        panel_data(weight_.cols, weight_.dtype) + column / block_length(weight_.dtype) * kPanel * 2;
    alignas(64) std::uint16_t widened[kPanel * kPanel];
    for (std::int64_t at = 0; at < count; at += kPanel, panel += stride, out += bytes) {
      auto* turned = reinterpret_cast<std::uint16_t*>(out);
      if (as_ == DType::bf16 && pairs) {
        kernels_.turn_bf16(reinterpret_cast<const std::uint16_t*>(panel + panel_data(column, DType::bf16)), turned);
      } else if (as_ == DType::bf16 && in_blocks(weight_.dtype)) {
        const bool halves = weight_.dtype == DType::q4;
        kernels_.widen_blocks[halves](panel + column * kPanel / (halves ? 2 : 1),
                                      reinterpret_cast<const std::uint16_t*>(panel + scales), widened);
        kernels_.turn_bf16(widened, turned);
      } else if (pairs) {
        kernels_.turn_bf16(reinterpret_cast<const std::uint16_t*>(panel + panel_data(column, DType::bf16)), widened);
        widen_pairs(widened, reinterpret_cast<float*>(out));
      } else if (as_ == DType::f32 && weight_.dtype == DType::f32 && column + kPanel <= weight_.cols) {
        kernels_.turn_words(reinterpret_cast<const float*>(panel + panel_data(column, DType::f32)), kPanel,
                            reinterpret_cast<float*>(out), kPanel);
      } else {
        turn(panel, column, std::min(kPanel, count - at), out);
      }
    }
  }

 private:
  void turn(const std::byte* panel, std::int64_t column, std::int64_t rows, std::byte* out) const {
    std::fill_n(out, panel_data(kPanel, as_), std::byte{0});
    const std::int64_t width = std::min(kPanel, weight_.cols - column);
    float values[kPanel];
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      unpack_elements(panel, weight_.dtype, lane, weight_.cols, column, width, values);
      for (std::int64_t i = 0; i < width; ++i) {
        if (as_ == DType::bf16) {
          reinterpret_cast<std::uint16_t*>(out)[panel_index(lane, i, as_)] = f32_to_bf16(values[i]);
        } else {
          reinterpret_cast<float*>(out)[panel_index(lane, i, as_)] = values[i];
        }
      }
    }
  }

  const Weight& weight_;
  const Kernels& kernels_;
  DType as_;
};

}  // namespace paligemma
