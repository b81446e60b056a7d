// linear, gated_gelu and embed against their definitions in double.
#include "fixture.h"

namespace paligemma {
namespace {

class LinearTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, LinearTest, ::testing::ValuesIn(tables_to_test()), table_name);

struct Types {
  DType from, as;
  Precision precision;
};
constexpr Types kTypes[] = {{DType::f32, DType::f32, Precision::f32},    {DType::bf16, DType::bf16, Precision::f32},
                            {DType::bf16, DType::bf16, Precision::bf16}, {DType::f16, DType::f32, Precision::f32},
                            {DType::f32, DType::bf16, Precision::bf16},  {DType::f16, DType::bf16, Precision::f32},
                            {DType::bf16, DType::f32, Precision::f32},   {DType::f32, DType::f32, Precision::bf16}};

// Sum and sum of absolute values of x[r] * w[n].
struct Sum {
  double value = 0, absolute = 0;
};
Sum dot(ConstView x, std::int64_t r, const HostMatrix& w, std::int64_t n, const Types& types) {
  Sum sum;
  for (std::int64_t i = 0; i < w.cols; ++i) {
    const float a = x.row(r)[i], b = w.values[std::size_t(n * w.cols + i)];
    const double product = double(types.precision == Precision::bf16 ? round_to_bf16(a) : a) *
                           (types.as == DType::bf16 ? round_to_bf16(b) : b);
    sum.value += product;
    sum.absolute += std::fabs(product);
  }
  return sum;
}

// For more rows and columns than a task has, and for several blocks of k.
TEST_P(LinearTest, GeluOnTopIsThatOfTheResult) {
  const std::int64_t rows = 70, k = 531, n = 1050;
  Matrix x(rows, k, 1u), y(rows, n), z(rows, n);
  const Weight w = place(backend, HostMatrix(n, k, DType::f32, numbers(n * k, 2)), DType::f32);
  const Weight bias = place_vector(backend, numbers(n, 3));
  const LinearPart plain{&w, &bias, y.view()}, with_gelu{.weight = &w, .bias = &bias, .out = z.view(), .gelu = true};
  backend.linear(x.view(), {&plain, 1}, Precision::f32);
  backend.gelu(y.view(), y.view());
  backend.linear(x.view(), {&with_gelu, 1}, Precision::f32);
  EXPECT_TRUE(z.gaps_untouched());
  EXPECT_TRUE(same_bits(y.view(), z.view()));
}

TEST_P(LinearTest, EqualsDefinition) {
  for (const std::int64_t k : {1, 2, 3, 17, 72, 588, 1152}) {
    for (const std::int64_t n : {1, 15, 16, 17, 100}) {
      for (const std::int64_t rows : {1, 2, 5, 7, 25, 65}) {
        const Types& types = kTypes[std::size_t(k + n + rows) % std::size(kTypes)];
        Matrix x(rows, k, 1u), y(rows, n), z(rows, 33);
        const HostMatrix w(n, k, types.from, numbers(n * k, 2)), v(33, k, types.from, numbers(33 * k, 3));
        const Weight weight = place(backend, w, types.as), other = place(backend, v, types.as);
        const std::vector<float> bias = numbers(n, 4);
        const Weight bias_weight = place_vector(backend, bias);
        const LinearPart parts[] = {{&weight, &bias_weight, y.view()}, {&other, nullptr, z.view()}};
        backend.linear(x.view(), parts, types.precision);
        EXPECT_TRUE(y.gaps_untouched() && z.gaps_untouched());
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t j = 0; j < n; ++j) {
            const Sum sum = dot(x.view(), r, w, j, types);
            ASSERT_NEAR(y.at(r, j), sum.value + bias[std::size_t(j)],
                        product_tolerance(k) * (sum.absolute + std::fabs(bias[std::size_t(j)])))
                << rows << " x " << k << " -> " << n << " at " << r << ", " << j;
          }
          for (std::int64_t j = 0; j < 33; ++j) {
            const Sum sum = dot(x.view(), r, v, j, types);
            ASSERT_NEAR(z.at(r, j), sum.value, product_tolerance(k) * sum.absolute);
          }
        }
      }
    }
  }
}

// Every pair of types at a shape with an odd k and edges everywhere.
TEST_P(LinearTest, TakesAllTypes) {
  for (const Types& types : kTypes) {
    for (const std::int64_t rows : {1, 31}) {
      const std::int64_t k = 301, n = 37;
      Matrix x(rows, k, 5u), y(rows, n);
      const HostMatrix w(n, k, types.from, numbers(n * k, 6));
      const Weight weight = place(backend, w, types.as);
      const LinearPart part{&weight, nullptr, y.view()};
      backend.linear(x.view(), {&part, 1}, types.precision);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t j = 0; j < n; ++j) {
          const Sum sum = dot(x.view(), r, w, j, types);
          ASSERT_NEAR(y.at(r, j), sum.value, product_tolerance(k) * sum.absolute);
        }
      }
    }
  }
}

TEST_P(LinearTest, GatedGeluEqualsDefinition) {
  for (const std::int64_t rows : {1, 6, 50}) {
    for (const Types& types : {kTypes[0], kTypes[1], kTypes[2]}) {
      const std::int64_t k = 72, n = 150;
      Matrix x(rows, k, 7u), y(rows, n);
      std::vector<float> small = numbers(2 * n * k, 8);
      for (float& value : small) value *= 0.2f;
      const HostMatrix g(n, k, types.from, {small.begin(), small.begin() + n * k});
      const HostMatrix u(n, k, types.from, {small.begin() + n * k, small.end()});
      const Weight gate = place(backend, g, types.as), up = place(backend, u, types.as);
      backend.gated_gelu(x.view(), gate, up, y.view(), types.precision);
      EXPECT_TRUE(y.gaps_untouched());
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t j = 0; j < n; ++j) {
          const Sum a = dot(x.view(), r, g, j, types), b = dot(x.view(), r, u, j, types);
          // The slope of GELU is at most 1.13.
          const double tolerance =
              product_tolerance(k) * (1.13 * a.absolute * std::fabs(b.value) + b.absolute * std::fabs(gelu(a.value))) +
              kActivationTolerance * std::fabs(a.value * b.value);
          ASSERT_NEAR(y.at(r, j), gelu(a.value) * b.value, tolerance);
        }
      }
    }
  }
}

// Added to what is there, as one chain that begins with it.
TEST_P(LinearTest, Accumulates) {
  for (const std::int64_t rows : {1, 31}) {
    for (const std::int64_t k : {1, 7, 301}) {
      const std::int64_t n = 37;
      Matrix x(rows, k, 5u), y(rows, n, 6u), before(rows, n, 6u);
      const HostMatrix w(n, k, DType::f32, numbers(n * k, 7));
      const Weight weight = place(backend, w, DType::f32);
      const std::vector<float> bias = numbers(n, 8);
      const Weight bias_weight = place_vector(backend, bias);
      const LinearPart part{&weight, &bias_weight, y.view(), true};
      backend.linear(x.view(), {&part, 1}, Precision::f32);
      EXPECT_TRUE(y.gaps_untouched());
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t j = 0; j < n; ++j) {
          const Sum sum = dot(x.view(), r, w, j, kTypes[0]);
          const double rest = double(before.at(r, j)) + bias[std::size_t(j)];
          ASSERT_NEAR(y.at(r, j), sum.value + rest, product_tolerance(k + 2) * (sum.absolute + std::fabs(rest) + 1));
        }
      }
    }
  }
}

// Two products and the elementwise function give the bits of the fused one, whatever the number of rows.
TEST_P(LinearTest, GatedGeluOfFactorsHasTheBitsOfTheFusedOne) {
  for (const std::int64_t rows : {1, 7, 65}) {
    for (const Types& types : {kTypes[0], kTypes[1], kTypes[2]}) {
      const std::int64_t k = 301, n = 601;
      Matrix x(rows, k, 7u), fused(rows, n), y(rows, n), factor(rows, n);
      const HostMatrix g(n, k, types.from, numbers(n * k, 8)), u(n, k, types.from, numbers(n * k, 9));
      const Weight gate = place(backend, g, types.as), up = place(backend, u, types.as);
      backend.gated_gelu(x.view(), gate, up, fused.view(), types.precision);
      const LinearPart parts[] = {{&gate, nullptr, y.view()}, {&up, nullptr, factor.view()}};
      backend.linear(x.view(), parts, types.precision);
      backend.gated_gelu(y.view(), factor.view(), y.view());
      EXPECT_TRUE(same_bits(y.view(), fused.view()));
      EXPECT_TRUE(y.gaps_untouched());
    }
  }
}

TEST_P(LinearTest, EmbedReadsRows) {
  for (const DType type : {DType::f32, DType::bf16}) {
    const std::int64_t n = 70, k = 37;
    const HostMatrix w(n, k, type, numbers(n * k, 9));
    const Weight table = place(backend, w, type);
    const std::vector<std::int32_t> ids = {0, 69, 15, 16, 33, 33};
    Matrix y(6, k);
    backend.embed(table, ids, 1.5f, DType::f32, y.view());
    EXPECT_TRUE(y.gaps_untouched());
    for (std::int64_t r = 0; r < 6; ++r) {
      for (std::int64_t i = 0; i < k; ++i) {
        EXPECT_EQ(y.at(r, i), 1.5f * w.values[std::size_t(ids[std::size_t(r)] * k + i)]);
      }
    }
    for (const DType rounding : {DType::bf16, DType::f16}) {
      Matrix rounded(6, k);
      backend.embed(table, ids, 1.5f, rounding, rounded.view());
      for (std::int64_t r = 0; r < 6; ++r) {
        for (std::int64_t i = 0; i < k; ++i) EXPECT_EQ(rounded.at(r, i), round_to(rounding, y.at(r, i)));
      }
    }
    const std::int32_t beyond[] = {70};
    EXPECT_THROW(backend.embed(table, beyond, 1, DType::f32, y.view().row_range(0, 1)), Error);
  }
}

}  // namespace
}  // namespace paligemma
