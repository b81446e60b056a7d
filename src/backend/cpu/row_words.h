// Some rows of a matrix as words of 32 bits, for products whose inner size is the rows: a word is an element of a row,
// or a pair of bf16 of two rows.
#pragma once

#include <algorithm>

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
    for_pieces(x, block, [&](std::int64_t column, std::int64_t width, const float* words) {
      for (std::int64_t i = 0; i < width; i += kPanel)
        kernels_.turn_words(words + i, kStride, out + (column + i) * stride + block * kDeep, stride);
    });
  }
  // The same into panels of 16 columns, `stride` words from panel to panel.
  void pack(ConstView x, std::int64_t block, float* out, std::int64_t stride) const {
    for_pieces(x, block, [&](std::int64_t column, std::int64_t width, const float* words) {
      for (std::int64_t i = 0; i < width; i += kPanel) {
        float* panel = out + (column + i) / kPanel * stride + block * kDeep * kPanel;
        for (std::int64_t word = 0; word < kDeep; ++word)
          std::copy_n(words + word * kStride + i, kPanel, panel + word * kPanel);
      }
    });
  }

 private:
  static constexpr std::int64_t kColumns = 256;           // of a piece
  static constexpr std::int64_t kStride = kColumns + 16;  // an odd number of lines

  // Calls use(column, width, words) for pieces of the block, with zeros up to a whole panel and behind the last row.
  template <class Use>
  void for_pieces(ConstView x, std::int64_t block, Use use) const {
    alignas(64) float words[kDeep * kStride];
    for (std::int64_t column = 0; column < x.cols; column += kColumns) {
      const std::int64_t width = std::min(kColumns, x.cols - column), whole = round_up(width, kPanel);
      for (std::int64_t word = 0; word < kDeep; ++word) {
        float* to = words + word * kStride;
        make(x.col_range(column, width), block * rows() + word * rows() / kDeep, to);
        std::fill(to + width, to + whole, 0.0f);
      }
      use(column, width, words);
    }
  }
  void make(ConstView x, std::int64_t row, float* to) const {
    static constexpr float kNone[kColumns] = {};
    if (row >= x.rows) {
      std::fill_n(to, x.cols, 0.0f);
    } else if (kind_ == Kind::pairs) {
      kernels_.pair_bf16(x.cols, x.row(row), row + 1 < x.rows ? x.row(row + 1) : kNone,
                         reinterpret_cast<std::uint16_t*>(to));
    } else if (kind_ == Kind::rounded) {
      kernels_.round_bf16(x.cols, x.row(row), to);
    } else {
      std::copy_n(x.row(row), x.cols, to);
    }
  }

  const Kernels& kernels_;
  Kind kind_;
};

}  // namespace paligemma
