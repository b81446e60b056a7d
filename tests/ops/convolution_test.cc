// Convolutions against their definition as sums, and their gradients against derivatives of it: by complex steps, which
// have no difference of two near numbers in them.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>
#include <random>

#include "ops/ops.h"
#include "ops/tape.h"
#include "support/isas.h"

namespace paligemma {
namespace {

using Complex = std::complex<double>;
using Step = Convolution::Step;

struct ConvolutionCase {
  Step step;
  int kernel, in, out, side, maps;
};

// Even and odd kernels, one that is larger than the map, one position, more maps than go together.
const ConvolutionCase kConvolutions[] = {
    {Step::same, 1, 5, 3, 4, 2},  {Step::same, 3, 3, 17, 5, 2},  {Step::same, 4, 2, 3, 3, 1},
    {Step::same, 7, 2, 2, 3, 1},  {Step::half, 4, 3, 5, 8, 2},   {Step::half, 3, 17, 2, 6, 1},
    {Step::half, 5, 2, 3, 2, 3},  {Step::half, 2, 1, 4, 4, 1},   {Step::half, 1, 3, 2, 4, 1},
    {Step::twice, 4, 3, 5, 4, 2}, {Step::twice, 4, 17, 1, 1, 3}, {Step::twice, 4, 2, 2, 3, 1}};

std::vector<float> draw(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// Numbers of a convolution with PyTorch's axes: weights (out, in, k, k), of the transposed one (in, out, k, k).
struct Defined {
  ConvolutionCase of;
  std::vector<Complex> weight, bias;

  std::int64_t after() const { return side_after(of.step, of.side); }

  // Of maps (side, side, in) one after the other. Written as each input's share of each output.
  std::vector<Complex> operator()(const std::vector<Complex>& x) const {
    const std::int64_t side = of.side, after = this->after(), k = of.kernel;
    std::vector<Complex> y;
    for (int map = 0; map < of.maps; ++map)
      for (std::int64_t i = 0; i < after * after; ++i) y.insert(y.end(), bias.begin(), bias.end());
    const auto add = [&](int map, std::int64_t iy, std::int64_t ix, std::int64_t oy, std::int64_t ox,
                         std::int64_t tap) {
      for (int i = 0; i < of.in; ++i)
        for (int o = 0; o < of.out; ++o) {
          const std::int64_t w =
              of.step == Step::twice ? (i * of.out + o) * k * k + tap : (o * of.in + i) * k * k + tap;
          y[static_cast<std::size_t>(((map * after + oy) * after + ox) * of.out + o)] +=
              weight[static_cast<std::size_t>(w)] *
              x[static_cast<std::size_t>(((map * side + iy) * side + ix) * of.in + i)];
        }
    };
    // Output p along an axis sees input q through tap t.
    const auto sees = [&](std::int64_t p, std::int64_t q, std::int64_t t) {
      switch (of.step) {
        case Step::same: return q == p + t - (k - 1) / 2;
        case Step::half: return q == 2 * p + t - (std::max<std::int64_t>(k, 2) - 2) / 2;
        case Step::twice: return p == 2 * q + t - 1;
      }
      return false;
    };
    for (int map = 0; map < of.maps; ++map)
      for (std::int64_t oy = 0; oy < after; ++oy)
        for (std::int64_t iy = 0; iy < side; ++iy)
          for (std::int64_t ty = 0; ty < k; ++ty)
            for (std::int64_t ox = 0; sees(oy, iy, ty) && ox < after; ++ox)
              for (std::int64_t ix = 0; ix < side; ++ix)
                for (std::int64_t tx = 0; tx < k; ++tx)
                  if (sees(ox, ix, tx)) add(map, iy, ix, oy, ox, ty * k + tx);
    return y;
  }
};

// Where the weight of an output, an input and a tap lies in the matrix.
std::size_t place_of(const ConvolutionCase& of, std::int64_t o, std::int64_t i, std::int64_t tap) {
  const std::int64_t taps = std::int64_t{of.kernel} * of.kernel;
  return static_cast<std::size_t>(of.step == Step::twice ? (tap * of.out + o) * of.in + i
                                                         : (o * taps + tap) * of.in + i);
}

// One convolution with numbers in both forms.
struct Example {
  Example(const ConvolutionCase& of, Backend& backend)
      : of(of), x(draw(std::int64_t{of.maps} * of.side * of.side * of.in, 1)) {
    const std::int64_t taps = std::int64_t{of.kernel} * of.kernel;
    const std::vector<float> weight = draw(taps * of.in * of.out, 2), bias = draw(of.out, 3);
    defined = {of, {weight.begin(), weight.end()}, {bias.begin(), bias.end()}};
    std::vector<float> matrix(weight.size());
    for (std::int64_t o = 0; o < of.out; ++o)
      for (std::int64_t i = 0; i < of.in; ++i)
        for (std::int64_t tap = 0; tap < taps; ++tap) matrix[place_of(of, o, i, tap)] = weight[array_place(o, i, tap)];
    const bool twice = of.step == Step::twice;
    const std::int64_t rows = twice ? taps * of.out : of.out, cols = twice ? of.in : taps * of.in;
    convolution = {.in = of.in, .out = of.out, .kernel = of.kernel, .step = of.step};
    convolution.weight = backend.make_matrix(rows, cols, DType::f32);
    backend.place_rows(convolution.weight, 0, {DType::f32, {rows, cols}, std::as_bytes(std::span(matrix))});
    convolution.bias = backend.make_vector({DType::f32, {of.out}, std::as_bytes(std::span(bias))}, 1, of.out);
  }

  std::size_t array_place(std::int64_t o, std::int64_t i, std::int64_t tap) const {
    const std::int64_t taps = std::int64_t{of.kernel} * of.kernel;
    return static_cast<std::size_t>((of.step == Step::twice ? i * of.out + o : o * of.in + i) * taps + tap);
  }
  ConstView maps() const { return {x.data(), std::int64_t(x.size()) / of.in, of.in}; }

  ConvolutionCase of;
  std::vector<float> x;
  Defined defined;
  Convolution convolution;
};

// Sums of up to n products in f32, whose terms are of size one: n roundings of half an epsilon of the sum so far, of
// which as many go up as down; four standard deviations.
double sum_tolerance(double n) { return 4 * n * 0x1p-24; }

class ConvolutionTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, ConvolutionTest, ::testing::ValuesIn(test::runnable_isas()),
                         [](const auto& info) { return info.param; });

TEST_P(ConvolutionTest, IsItsDefinition) {
  const auto backend = make_cpu_backend({.threads = 2, .isa = GetParam()});
  Arena arena(*backend);
  for (const ConvolutionCase& of : kConvolutions) {
    const Example example(of, *backend);
    Pass pass{*backend, arena};
    const View y = convolve(pass, example.maps(), of.side, example.convolution);
    const std::vector<Complex> expected = example.defined({example.x.begin(), example.x.end()});
    ASSERT_EQ(y.rows * y.cols, std::int64_t(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(y.data[i], expected[i].real(), sum_tolerance(of.kernel * of.kernel * of.in))
          << of.kernel << " " << of.in << " " << i;
  }
}

// d(sum of dy y) / d(value) for each of `values`, which are part of what `f` reads.
template <class F>
std::vector<double> derivatives_of(std::vector<Complex>& values, const std::vector<float>& dy, const F& f) {
  constexpr double kTiny = 1e-30;
  std::vector<double> out;
  for (Complex& value : values) {
    value += Complex(0, kTiny);
    const std::vector<Complex> y = f();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += dy[i] * y[i].imag() / kTiny;
    out.push_back(sum);
    value = value.real();
  }
  return out;
}

TEST_P(ConvolutionTest, GradientsAreDerivatives) {
  const auto backend = make_cpu_backend({.threads = 2, .isa = GetParam()});
  Arena arena(*backend);
  for (const ConvolutionCase& of : kConvolutions) {
    SCOPED_TRACE(testing::Message() << int(of.step) << " kernel " << of.kernel << " in " << of.in);
    Example example(of, *backend);
    Tape tape(*backend, arena, Keep::intermediates);
    const Weight &weight = example.convolution.weight, &bias = example.convolution.bias;
    std::vector<float> dweight(std::size_t(weight.rows * weight.cols), 0.5f), dbias(std::size_t(of.out), 0.5f);
    tape.train(weight, {dweight.data(), weight.rows, weight.cols});
    tape.train(bias, {dbias.data(), 1, of.out});
    tape.want(example.maps());
    Pass pass{*backend, arena};
    pass.tape = &tape;
    const View y = convolve(pass, example.maps(), of.side, example.convolution);
    const std::vector<float> dy = draw(y.rows * y.cols, 4);
    std::copy(dy.begin(), dy.end(), tape.gradient(y).data);
    const View dx = tape.gradient(example.maps());
    tape.run_backward();

    std::vector<Complex> x(example.x.begin(), example.x.end());
    const auto f = [&] { return example.defined(x); };
    const auto expect = [&](double got, double expected, double terms) {
      EXPECT_NEAR(got, expected, sum_tolerance(terms) + 0x1p-22);
    };
    const std::vector<double> of_x = derivatives_of(x, dy, f);
    for (std::size_t i = 0; i < of_x.size(); ++i) expect(dx.data[i], of_x[i], of.kernel * of.kernel * of.out);
    const std::vector<double> of_bias = derivatives_of(example.defined.bias, dy, f);
    for (std::size_t i = 0; i < of_bias.size(); ++i) expect(dbias[i] - 0.5f, of_bias[i], double(y.rows));
    const std::vector<double> of_weight = derivatives_of(example.defined.weight, dy, f);
    for (int o = 0; o < of.out; ++o)
      for (int i = 0; i < of.in; ++i)
        for (int tap = 0; tap < of.kernel * of.kernel; ++tap)
          expect(dweight[place_of(of, o, i, tap)] - 0.5f, of_weight[example.array_place(o, i, tap)],
                 double(example.maps().rows));
  }
}

// One map, or so many that they go in groups; by one thread or several: the same bits, forward and backward.
TEST_P(ConvolutionTest, BitsDoNotDependOnMapsOrThreads) {
  constexpr int kMany = 40;
  for (const ConvolutionCase& of :
       {ConvolutionCase{Step::half, 4, 16, 8, 16, kMany}, ConvolutionCase{Step::same, 3, 48, 20, 4, kMany},
        ConvolutionCase{Step::twice, 4, 24, 12, 8, kMany}}) {
    std::vector<float> first, first_dx, first_dweight;
    for (const int threads : {1, 3}) {
      const auto backend = make_cpu_backend({.threads = threads, .isa = GetParam()});
      Arena arena(*backend);
      const Example example(of, *backend);
      const Weight& weight = example.convolution.weight;
      Tape tape(*backend, arena, Keep::intermediates);
      std::vector<float> dweight(std::size_t(weight.rows * weight.cols));
      tape.train(weight, {dweight.data(), weight.rows, weight.cols});
      tape.want(example.maps());
      Pass pass{*backend, arena}, taped = pass;
      taped.tape = &tape;
      const View y = convolve(taped, example.maps(), of.side, example.convolution);
      backend->copy(y, tape.gradient(y));
      const View dx = tape.gradient(example.maps());
      tape.run_backward();
      const std::vector<float> all(y.data, y.row(y.rows)), all_dx(dx.data, dx.row(dx.rows));
      if (first.empty()) first = all, first_dx = all_dx, first_dweight = dweight;
      EXPECT_EQ(all, first);
      EXPECT_EQ(all_dx, first_dx);
      EXPECT_EQ(dweight, first_dweight);
      const std::int64_t rows = std::int64_t{of.side} * of.side, after = y.rows / kMany;
      for (int map = 0; map < kMany; map += 13) {
        const View one = convolve(pass, example.maps().row_range(map * rows, rows), of.side, example.convolution);
        EXPECT_EQ(std::memcmp(one.data, y.row(map * after), std::size_t(after * of.out) * sizeof(float)), 0);
      }
    }
  }
}

TEST_P(ConvolutionTest, ReluLetsThroughWhatIsPositive) {
  const auto backend = make_cpu_backend({.threads = 1, .isa = GetParam()});
  Arena arena(*backend);
  Tape tape(*backend, arena, Keep::intermediates);
  Pass pass{*backend, arena};
  pass.tape = &tape;
  const View x = arena.rows(2, 3);
  const float values[] = {-1, 0, 2, 0.5f, -0.0f, -3};
  std::copy(std::begin(values), std::end(values), x.data);
  tape.want(x);
  relu_in_place(pass, x);
  const View dx = tape.gradient(x);
  std::fill_n(dx.data, 6, 7.0f);
  tape.run_backward();
  EXPECT_EQ(std::vector<float>(x.data, x.data + 6), (std::vector<float>{0, 0, 2, 0.5f, 0, 0}));
  EXPECT_EQ(std::vector<float>(dx.data, dx.data + 6), (std::vector<float>{0, 0, 7, 7, 0, 0}));
}

}  // namespace
}  // namespace paligemma
