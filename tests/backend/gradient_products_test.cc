// Gradients of products against sums in double, and their bits: whatever the rows and threads.
#include <numeric>

#include "gradient_fixture.h"

namespace paligemma {
namespace {

class ProductGradientTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, ProductGradientTest, ::testing::ValuesIn(tables_to_test()), table_name);

double rounded(float value, DType weights, Precision precision) {
  return precision == Precision::f32 || (weights == DType::f32) ? value : round_to_bf16(value);
}

TEST_P(ProductGradientTest, Products) {
  struct Case {
    std::int64_t rows, n, k;
  };
  for (const Case& c : {Case{1, 1, 1},
                        {5, 17, 37},
                        {33, 40, 130},
                        {70, 530, 19},
                        {580, 33, 48},
                        {3, 1100, 16},
                        {21, 9, 300},
                        {600, 40, 290}}) {
    std::vector<float> dy = numbers(c.rows * c.n, 11), x = numbers(c.rows * c.k, 12);
    for (const DType type : {DType::f32, DType::bf16, DType::q8, DType::q4, DType::int8}) {
      const HostMatrix host(c.n, c.k, type == DType::bf16 ? type : DType::f32, numbers(c.n * c.k, 13));
      const Weight weight = place(backend, host, type);
      std::vector<float> values(host.values.size());  // as they are held
      std::vector<std::int32_t> rows(std::size_t(c.n));
      std::iota(rows.begin(), rows.end(), 0);
      backend.embed(weight, rows, 1, DType::f32, view(values, c.n));
      for (const Precision precision : {Precision::f32, Precision::bf16}) {
        std::vector<float> dx(x.size(), 0.5f);
        backend.linear_input_gradient(view(dy, c.rows), weight, view(dx, c.rows), precision, true);
        std::vector<double> expected(x.size(), 0.0);
        for (std::int64_t r = 0; r < c.rows; ++r)
          for (std::int64_t i = 0; i < c.n; ++i)
            for (std::int64_t j = 0; j < c.k; ++j)
              expected[std::size_t(r * c.k + j)] +=
                  (precision == Precision::f32 ? dy[std::size_t(r * c.n + i)]
                                               : round_to_bf16(dy[std::size_t(r * c.n + i)])) *
                  rounded(values[std::size_t(i * c.k + j)], type, precision);
        expect_added(dx, expected, 0.5f, 4 * product_tolerance(c.n));
        std::vector<float> set(x.size(), NAN), added(x.size(), 0.0f);
        backend.linear_input_gradient(view(dy, c.rows), weight, view(set, c.rows), precision, false);
        backend.linear_input_gradient(view(dy, c.rows), weight, view(added, c.rows), precision, true);
        EXPECT_TRUE(same_bits(view(set, c.rows), view(added, c.rows)));
      }
    }
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      const auto round = [&](float value) { return precision == Precision::f32 ? value : round_to_bf16(value); };
      std::vector<float> dweight(std::size_t(c.n * c.k), 0.5f);
      backend.linear_weight_gradient(view(dy, c.rows), view(x, c.rows), view(dweight, c.n), precision);
      std::vector<double> expected(dweight.size(), 0.0);
      for (std::int64_t r = 0; r < c.rows; ++r)
        for (std::int64_t i = 0; i < c.n; ++i)
          for (std::int64_t j = 0; j < c.k; ++j)
            expected[std::size_t(i * c.k + j)] +=
                double(round(dy[std::size_t(r * c.n + i)])) * round(x[std::size_t(r * c.k + j)]);
      expect_added(dweight, expected, 0.5f, 4 * product_tolerance(c.rows));
    }
  }
}

// A sum over rows in two calls, and on another number of threads, is the same bits.
TEST_P(ProductGradientTest, SumsOverRowsContinue) {
  const std::int64_t rows = 44;
  CpuBackend alone(GetParam(), 1);
  for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{70, 83}, {300, 9}, {9, 300}}) {
    std::vector<float> dy = numbers(rows * n, 14), x = numbers(rows * k, 15);
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      std::vector<float> once(std::size_t(n * k)), twice(once.size());
      backend.linear_weight_gradient(view(dy, rows), view(x, rows), view(once, n), precision);
      for (const std::int64_t first : {0, 18}) {
        const std::int64_t count = first == 0 ? 18 : rows - 18;
        alone.linear_weight_gradient(view(dy, rows).row_range(first, count), view(x, rows).row_range(first, count),
                                     view(twice, n), precision);
      }
      EXPECT_TRUE(same_bits(view(once, n), view(twice, n)));
    }
  }
}

// Some rows alone, and on another number of threads, are the same bits: the matrix is wide, or narrow on either side.
TEST_P(ProductGradientTest, RowsAndThreadsDoNotMatter) {
  const std::int64_t rows = 40;
  CpuBackend alone(GetParam(), 1);
  for (const auto& [n, k] : {std::pair<std::int64_t, std::int64_t>{530, 90}, {600, 8}, {8, 600}}) {
    std::vector<float> dy = numbers(rows * n, 20), x = numbers(rows * k, 21);
    for (const DType type : {DType::f32, DType::bf16, DType::q8, DType::q4, DType::int8}) {
      const Weight weight = place(backend, HostMatrix(n, k, DType::f32, numbers(n * k, 22)), type);
      for (const Precision precision : {Precision::f32, Precision::bf16}) {
        std::vector<float> dx(x.size(), 0.5f), dx_parts = dx, y(dy.size()), y_parts(y.size());
        const auto compute = [&, precision = precision, k = k](CpuBackend& with, std::int64_t first, std::int64_t count,
                                                               std::vector<float>& dx, std::vector<float>& y) {
          with.linear_input_gradient(view(dy, rows).row_range(first, count), weight,
                                     view(dx, rows).row_range(first, count), precision, true);
          const LinearPart part{&weight, nullptr, view(y, rows).row_range(first, count)};
          with.linear(view(x, rows).row_range(first, count), {&part, 1}, precision);
        };
        compute(backend, 0, rows, dx, y);
        for (std::int64_t first = 0, count = 1; first < rows; first += count, ++count)
          compute(alone, first, std::min(count, rows - first), dx_parts, y_parts);
        EXPECT_TRUE(same_bits(view(dx, rows), view(dx_parts, rows))) << name(type) << " " << n << " x " << k;
        EXPECT_TRUE(same_bits(view(y, rows), view(y_parts, rows))) << name(type) << " " << n << " x " << k;
      }
    }
  }
}

}  // namespace
}  // namespace paligemma
