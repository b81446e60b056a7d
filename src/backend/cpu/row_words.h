// Some rows of a matrix as words of 32 bits, for products whose inner size is the rows: a word is an element of a row,
// or a pair of bf16 of two rows.
#pragma once

#include <algorithm>
#include <cstring>

#include "backend/backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {

class RowWords {
 public:
  enum class Kind : std::uint8_t { plain, rounded, pairs };
  static constexpr std::int64_t kDeep = 16;  // words of a column that are made at once

  RowWords(const Kernels& kernels, Kind kind) : kernels_(kernels), kind_(kind) {}

  std::int64_t rows() const { return kind_ == Kind::pairs ? 2 * kDeep : kDeep; }
  // Words of so many rows, whole blocks of kDeep.
  std::int64_t words(std::int64_t count) const { return (count + rows() - 1) / rows() * kDeep; }

  // Block `block` of x's rows, column by column, into rows of `stride` words: (round_up(cols, 16), stride).
  void turn(ConstView x, std::int64_t block, float* out, std::int64_t stride) const {
    alignas(64) float words[kDeep * kStride];
    for (std::int64_t column = 0; column < x.cols; column += kColumns) {
      const std::int64_t width = std::min(kColumns, x.cols - column);
      for (std::int64_t word = 0; word < kDeep; ++word)
        make(x.col_range(column, width), block, word, words + word * kStride, kPanel);
      for (std::int64_t i = 0; i < width; i += kPanel)
        kernels_.turn_words(words + i, kStride, out + (column + i) * stride + block * kDeep, stride);
    }
  }
  // The same into panels of 16 columns, `stride` words from panel to panel.
  void pack(ConstView x, std::int64_t block, float* out, std::int64_t stride) const {
    for (std::int64_t word = 0; word < kDeep; ++word)
      make(x, block, word, out + (block * kDeep + word) * kPanel, stride);
  }

 private:
  static constexpr std::int64_t kColumns = 256;           // of a piece
  static constexpr std::int64_t kStride = kColumns + 16;  // an odd number of lines

  // Word `word` of the block's columns, each 16 of which lie `step` from the 16 before. Zeros go up to a whole 16 and
  // stand for rows that are missing.
  void make(ConstView x, std::int64_t block, std::int64_t word, float* to, std::int64_t step) const {
    const std::int64_t row = block * rows() + word * rows() / kDeep;
    if (kind_ == Kind::pairs && row < x.rows) {
      const float* next = row + 1 < x.rows ? x.row(row + 1) : nullptr;
      if (next) return kernels_.pair_bf16(x.cols, x.row(row), next, reinterpret_cast<std::uint16_t*>(to), step);
      for (std::int64_t i = 0; i < x.cols; i += kPanel, to += step) {
        static constexpr float kNone[kPanel] = {};
        kernels_.pair_bf16(std::min(kPanel, x.cols - i), x.row(row) + i, kNone, reinterpret_cast<std::uint16_t*>(to),
                           step);
      }
      return;
    }
    for (std::int64_t i = 0; i < x.cols; i += kPanel, to += step) {
      const std::int64_t there = row < x.rows ? std::min(kPanel, x.cols - i) : 0;
      if (there == kPanel && kind_ == Kind::plain) {
        std::memcpy(to, x.row(row) + i, kPanel * sizeof(float));
        continue;
      }
      if (there > 0 && kind_ == Kind::rounded) kernels_.round_bf16(there, x.row(row) + i, to);
      if (there > 0 && kind_ == Kind::plain) std::copy_n(x.row(row) + i, there, to);
      std::fill(to + there, to + kPanel, 0.0f);
    }
  }

  const Kernels& kernels_;
  Kind kind_;
};

}  // namespace paligemma
