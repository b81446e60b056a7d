// What the tests of the back end share: the tables of kernels to test, numbers, and tolerances.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/dispatch.h"

namespace paligemma {

// Every instruction set that this processor runs, and with SIMDe those of AVX-512 as an emulation.
std::vector<Kernels> tables_to_test();

inline std::string table_name(const ::testing::TestParamInfo<Kernels>& info) { return info.param.name; }

// Relative to the sum of the absolute values of what is added up.
//   A chain of k multiply-adds makes at most k errors of half an epsilon each; independent ones add up as sqrt(k), and
//   4 standard deviations are allowed for. Portable rounds the products too: hence the 2. The activations differ from
//   f32's nearest by some units of the last place (math_test.cc has them).
constexpr double kEpsilon = 0x1p-23;
inline double product_tolerance(std::int64_t k) { return 4 * 2 * std::sqrt(double(k)) * kEpsilon / 2; }
constexpr double kActivationTolerance = 8 * kEpsilon;

// x (1 + tanh(t)) / 2 = x / (1 + exp(-2 t)), which does not cancel far below zero.
inline double gelu(double x) { return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

// Normally distributed; the same for the same seed.
inline std::vector<float> numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// A matrix with gaps between its rows, at an address that is a multiple of 4 only.
class Matrix {
 public:
  Matrix(std::int64_t rows, std::int64_t cols, std::int64_t gap = 3)
      : cells_(static_cast<std::size_t>(rows * (cols + gap) + 1), kGap), rows_(rows), cols_(cols), gap_(gap) {
    for (std::int64_t r = 0; r < rows; ++r) std::fill_n(view().row(r), cols, 0.0f);
  }
  Matrix(std::int64_t rows, std::int64_t cols, unsigned seed) : Matrix(rows, cols) {
    const std::vector<float> values = numbers(rows * cols, seed);
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(&values[static_cast<std::size_t>(r * cols)], cols, view().row(r));
  }
  View view() { return {cells_.data() + 1, rows_, cols_, cols_ + gap_}; }
  float& at(std::int64_t r, std::int64_t c) { return view().row(r)[c]; }
  // Nothing was written between the rows.
  bool gaps_untouched() {
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = cols_; c < cols_ + gap_; ++c) {
        if (view().row(r)[c] != kGap) return false;
      }
    }
    return cells_[0] == kGap;
  }

 private:
  static constexpr float kGap = 12345;
  std::vector<float> cells_;
  std::int64_t rows_, cols_, gap_;
};

inline bool same_bits(ConstView a, ConstView b) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    if (std::memcmp(a.row(r), b.row(r), static_cast<std::size_t>(a.cols) * sizeof(float)) != 0) return false;
  }
  return a.rows == b.rows && a.cols == b.cols;
}

// Values of a (rows, cols) tensor in the bytes of `type`, starting at an odd address, and what they stand for.
struct HostMatrix {
  HostMatrix(std::int64_t rows, std::int64_t cols, DType type, std::vector<float> from);
  HostTensor tensor(std::int64_t first, std::int64_t count) const;
  HostTensor tensor() const { return tensor(0, rows); }

  std::int64_t rows, cols;
  DType type;
  std::vector<float> values;
  std::vector<std::byte> bytes;
};

Weight place(Backend& backend, const HostMatrix& host, DType as);
Weight place_vector(Backend& backend, const std::vector<float>& values);

// For messages.
inline void PrintTo(const Kernels& table, std::ostream* out) { *out << table.name; }

class TableTest : public ::testing::TestWithParam<Kernels> {
 protected:
  CpuBackend backend{GetParam(), 2};
};

}  // namespace paligemma
