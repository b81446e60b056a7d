// Norms, activations, add and rope against their definitions in double.
#include "fixture.h"

namespace paligemma {
namespace {

class RowsTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, RowsTest, ::testing::ValuesIn(tables_to_test()), table_name);

constexpr std::int64_t kRowWidths[] = {1, 2, 3, 7, 8, 9, 17, 31, 64, 72, 1152, 2304};

TEST_P(RowsTest, Norms) {
  for (const std::int64_t n : kRowWidths) {
    Matrix x(5, n, 1u), y(5, n), z(5, n);
    for (std::int64_t i = 0; i < n; ++i) x.at(0, i) += 30;  // a mean far from zero
    const std::vector<float> weight = numbers(n, 2), bias = numbers(n, 3);
    const Weight w = place_vector(backend, weight), b = place_vector(backend, bias);
    backend.layer_norm(x.view(), w, b, 1e-6f, y.view());
    backend.rms_norm(x.view(), w, 1e-6f, z.view());
    EXPECT_TRUE(y.gaps_untouched() && z.gaps_untouched());
    for (std::int64_t r = 0; r < 5; ++r) {
      double mean = 0, variance = 0, square = 0, largest = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        mean += x.at(r, i) / double(n);
        largest = std::max(largest, double(std::fabs(x.at(r, i))));
      }
      for (std::int64_t i = 0; i < n; ++i) {
        variance += (x.at(r, i) - mean) * (x.at(r, i) - mean) / double(n);
        square += double(x.at(r, i)) * x.at(r, i) / double(n);
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const double w_i = weight[std::size_t(i)], gain = 1 / std::sqrt(variance + 1e-6f);
        // The mean is off by a few roundings of the largest element, and so is what is left of it.
        EXPECT_NEAR(y.at(r, i), (x.at(r, i) - mean) * gain * w_i + bias[std::size_t(i)],
                    4 * kEpsilon * (largest * gain * std::fabs(w_i) + std::fabs(bias[std::size_t(i)])) + 1e-12);
        const double expected = x.at(r, i) / std::sqrt(square + 1e-6f) * (1 + w_i);
        EXPECT_NEAR(z.at(r, i), expected, 8 * kEpsilon * (std::fabs(expected) + 1e-3));
      }
    }
    backend.rms_norm(x.view(), w, 1e-6f, x.view());
    EXPECT_TRUE(same_bits(x.view(), z.view()));
  }
}

TEST_P(RowsTest, ElementByElement) {
  for (const std::int64_t n : kRowWidths) {
    Matrix x(3, n, 4u), a(3, n, 5u), sum(3, n, 4u), activated(3, n, 4u), capped(3, n, 4u), turned(3, n, 4u);
    const std::vector<float> scale = numbers(n, 11), offset = numbers(n, 12);
    for (std::int64_t i = 0; i < n; ++i) {
      x.at(0, i) = capped.at(0, i) = activated.at(0, i) = 0.01f * float(i - n / 2);
      sum.at(0, i) = turned.at(0, i) = x.at(0, i);
    }
    backend.add(a.view(), sum.view());
    backend.gelu(activated.view(), activated.view());
    backend.soft_cap(capped.view(), 0.7f);
    backend.affine(place_vector(backend, scale), place_vector(backend, offset), turned.view());
    EXPECT_TRUE(sum.gaps_untouched() && activated.gaps_untouched() && capped.gaps_untouched() &&
                turned.gaps_untouched());
    for (std::int64_t r = 0; r < 3; ++r) {
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = x.at(r, i), cap = 0.7f;
        EXPECT_EQ(sum.at(r, i), x.at(r, i) + a.at(r, i));
        const double product = v * scale[std::size_t(i)];
        EXPECT_NEAR(turned.at(r, i), product + offset[std::size_t(i)],
                    kEpsilon * (std::fabs(product) + std::fabs(offset[std::size_t(i)])));
        // The error of the exponential's argument, an epsilon of it, is one of the result for v < 0.
        EXPECT_NEAR(activated.at(r, i), gelu(v),
                    kActivationTolerance * std::fabs(gelu(v)) * (1 + std::fabs(v * v * v)) + 0x1p-120);
        EXPECT_NEAR(capped.at(r, i), cap * std::tanh(v / cap), kActivationTolerance * std::fabs(v));
      }
    }
  }
}

TEST_P(RowsTest, Rope) {
  for (const std::int64_t half : {1, 3, 8, 12, 36, 128}) {
    const std::int64_t heads = 3, size = 2 * half;
    Matrix x(7, heads * size, 6u), y(7, heads * size, 6u);
    const Sequence sequences[] = {{.row = 4, .rows = 3, .position = 8000}, {.row = 0, .rows = 4, .position = 0}};
    backend.rope(y.view(), heads, sequences, 10000.0);
    EXPECT_TRUE(y.gaps_untouched());
    for (std::int64_t r = 0; r < 7; ++r) {
      const double position = r < 4 ? double(r) : 8000 + double(r - 4);
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t i = 0; i < half; ++i) {
          const double angle = position * std::pow(10000.0, -double(i) / double(half));
          const double a = x.at(r, h * size + i), b = x.at(r, h * size + half + i);
          const double tolerance = 2 * kEpsilon * (std::fabs(a) + std::fabs(b));
          EXPECT_NEAR(y.at(r, h * size + i), a * std::cos(angle) - b * std::sin(angle), tolerance);
          EXPECT_NEAR(y.at(r, h * size + half + i), b * std::cos(angle) + a * std::sin(angle), tolerance);
        }
      }
    }
    // Asked again for other positions.
    Matrix z(7, heads * size, 6u);
    const Sequence moved[] = {{.row = 0, .rows = 7, .position = 1}};
    backend.rope(z.view(), heads, moved, 10000.0);
    EXPECT_NEAR(z.at(0, 0), x.at(0, 0) * std::cos(1.0) - x.at(0, half) * std::sin(1.0), 1e-6);
  }
}

}  // namespace
}  // namespace paligemma
