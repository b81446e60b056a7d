// Errors of the exponential and of tanh in units of the last place, over a dense sample of their ranges.
#include "backend/cpu/generic/math.h"

#include "backend/cpu/generic/product.h"
#include "backend/cpu/portable/lanes.h"
#include "fixture.h"

namespace paligemma {
namespace {

class MathTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, MathTest, ::testing::ValuesIn(tables_to_test()), table_name);

double in_ulps(float got, double expected) {
  return std::fabs(got - expected) / std::ldexp(1.0, std::ilogb(expected) - 23);
}

// Floats from `low` to `high`, a step apart in their bits.
std::vector<float> sample(float low, float high, std::uint32_t step) {
  std::vector<float> values;
  for (auto bits = std::bit_cast<std::uint32_t>(low); bits <= std::bit_cast<std::uint32_t>(high); bits += step) {
    values.push_back(std::bit_cast<float>(bits));
  }
  return values;
}

TEST_P(MathTest, ExponentialInSoftmax) {
  // The exponential of -x, by a row whose largest element is 0.
  std::vector<float> x = sample(1e-6f, 87.3f, 997);
  for (float& value : x) value = -value;
  x.push_back(0);
  std::vector<float> y = x;
  const float total = GetParam().softmax(std::int64_t(y.size()), 1, 0, y.data());
  double worst = 0, sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, in_ulps(y[i], std::exp(double(x[i]))));
    sum += std::exp(double(x[i]));
  }
  EXPECT_LT(worst, 1.5);
  EXPECT_NEAR(total, sum, sum * product_tolerance(std::int64_t(x.size())));
  // Far below, nothing is left; infinities and not-a-numbers do not spread to their neighbours.
  float far[] = {0, -1e4f, -INFINITY, -87.4f};
  GetParam().softmax(4, 1, 0, far);
  for (int i = 1; i < 4; ++i) EXPECT_LE(far[i], 1.3e-38f);
}

TEST_P(MathTest, TanhIsRelativelyExact) {
  for (const float sign : {1.0f, -1.0f}) {
    std::vector<float> x = sample(1e-30f, 100.0f, 9973);
    for (float& value : x) value *= sign;
    std::vector<float> y = x;
    GetParam().soft_cap(std::int64_t(y.size()), 1, y.data());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, in_ulps(y[i], std::tanh(double(x[i]))));
    EXPECT_LT(worst, 3);
  }
  float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN};
  GetParam().soft_cap(5, 1, special);
  EXPECT_EQ(special[0], 0);
  EXPECT_TRUE(std::signbit(special[1]));
  EXPECT_EQ(special[2], 1);
  EXPECT_EQ(special[3], -1);
  EXPECT_TRUE(std::isnan(special[4]));
}

TEST_P(MathTest, GeluAtTheEnds) {
  float x[] = {0.0f, -0.0f, 20.0f, -20.0f, 1e30f, NAN};
  GetParam().gelu(6, x, x);
  EXPECT_EQ(x[0], 0);
  EXPECT_EQ(x[1], 0);
  EXPECT_EQ(x[2], 20);
  EXPECT_NEAR(x[3], 0, 1e-30);
  EXPECT_EQ(x[4], 1e30f);
  EXPECT_TRUE(std::isnan(x[5]));
}

TEST_P(MathTest, RoundsToBf16) {
  std::vector<float> x = sample(1e-40f, 3.4e38f, 99991);
  for (const std::uint32_t bits : {0x3f808000u, 0x3f818000u, 0x3f808001u, 0x7f7fffffu, 0x7f800000u, 0x80000000u}) {
    x.push_back(std::bit_cast<float>(bits));  // ties to even, just above one, to infinity, infinity, minus zero
  }
  std::vector<float> y(x.size());
  std::vector<std::uint16_t> z(x.size());
  GetParam().round_bf16(std::int64_t(x.size()), x.data(), y.data());
  GetParam().narrow_bf16(std::int64_t(x.size()), x.data(), z.data());
  const bool flushes = std::string_view(GetParam().name).starts_with("avx512_bf16");  // the processor's own instruction
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), std::uint32_t{f32_to_bf16(x[i])} << 16) << x[i];
    const bool flushed = flushes && std::fpclassify(x[i]) == FP_SUBNORMAL;
    ASSERT_EQ(z[i], flushed ? (std::signbit(x[i]) ? 0x8000 : 0) : f32_to_bf16(x[i])) << x[i];
  }
  // In pairs it is the same, in groups of 16 with gaps.
  const std::size_t count = x.size() / 2;
  for (const std::size_t n : {count, std::size_t{1}, std::size_t{5}, std::size_t{37}}) {
    constexpr std::size_t kStep = 19;
    std::vector<std::uint16_t> pairs(2 * kStep * ((n + 15) / 16), 7);
    GetParam().pair_bf16(std::int64_t(n), x.data(), x.data() + count, pairs.data(), kStep);
    for (std::size_t i = 0; i < pairs.size() / 2; ++i) {
      const std::size_t in_step = i % kStep, from = i / kStep * 16 + in_step;
      ASSERT_EQ(pairs[2 * i], in_step >= 16 ? 7 : from < n ? z[from] : 0);
      ASSERT_EQ(pairs[2 * i + 1], in_step >= 16 ? 7 : from < n ? z[count + from] : 0);
    }
  }
  float not_a_number[] = {std::bit_cast<float>(0x7f800001u)};
  GetParam().round_bf16(1, not_a_number, not_a_number);
  EXPECT_TRUE(std::isnan(not_a_number[0]));
}

TEST_P(MathTest, TurnsWordsOver) {
  constexpr std::int64_t kFrom = 19, kTo = 21;
  const std::vector<float> from = numbers(16 * kFrom, 3);
  std::vector<float> to(16 * kTo, 5);
  GetParam().turn_words(from.data(), kFrom, to.data(), kTo);
  for (std::int64_t r = 0; r < 16; ++r)
    for (std::int64_t c = 0; c < kTo; ++c)
      EXPECT_EQ(to[std::size_t(r * kTo + c)], c < 16 ? from[std::size_t(c * kFrom + r)] : 5);
}

// The kernels are templates: in double they are a finer reference.
TEST(Lanes, DoubleIsExactToItsOwnEpsilon) {
  using V = Lanes<double>;
  const std::vector<float> x = numbers(4, 1);
  const V v{x[0], x[1], x[2], x[3]};
  EXPECT_DOUBLE_EQ(sum(fma(v, v, V::broadcast(1))),
                   4 + double(x[0]) * x[0] + double(x[1]) * x[1] + double(x[2]) * x[2] + double(x[3]) * x[3]);
}

}  // namespace
}  // namespace paligemma
