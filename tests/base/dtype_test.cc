#include "base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace paligemma {
namespace {

// The value of a binary floating point number by the definition of IEEE 754, in double arithmetic.
double definition(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int sign = static_cast<int>(bits >> (exponent_bits + mantissa_bits));
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = static_cast<int>(bits) & ((1 << mantissa_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  double value = 0;
  if (exponent == (1 << exponent_bits) - 1) {
    value = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    value = std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
  }
  return sign == 1 ? -value : value;
}

void expect_same(float got, double want, int bits) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(got)) << bits;
  } else {
    EXPECT_EQ(static_cast<double>(got), want) << bits;
    EXPECT_EQ(std::signbit(got), std::signbit(want)) << bits;
  }
}

TEST(DType, EveryF16) {
  for (int bits = 0; bits < 65536; ++bits)
    expect_same(f16_to_f32(static_cast<std::uint16_t>(bits)), definition(bits, 5, 10), bits);
}

TEST(DType, EveryBf16) {
  for (int bits = 0; bits < 65536; ++bits)
    expect_same(bf16_to_f32(static_cast<std::uint16_t>(bits)), definition(bits, 8, 7), bits);
}

// Around every finite bf16 value: the value itself, the middle to the next one, and one f32 step on either side of
// that.
TEST(DType, RoundsToTheNearestBf16AndTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const auto at = [](std::uint32_t upper, std::uint32_t lower) { return std::bit_cast<float>(upper << 16 | lower); };
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const std::uint32_t low = bits | sign, high = (bits + 1) | sign;
      EXPECT_EQ(f32_to_bf16(at(low, 0)), low);
      EXPECT_EQ(f32_to_bf16(at(low, 0x7fff)), low);
      EXPECT_EQ(f32_to_bf16(at(low, 0x8000)), bits % 2 == 0 ? low : high);
      EXPECT_EQ(f32_to_bf16(at(low, 0x8001)), high);
      EXPECT_EQ(f32_to_bf16(at(low, 0xffff)), high);
    }
  }
}

TEST(DType, InfinityAndNanStay) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(f32_to_bf16(infinity), 0x7f80);
  EXPECT_EQ(f32_to_bf16(-infinity), 0xff80);
  EXPECT_EQ(round_to_bf16(std::numeric_limits<float>::max()), infinity);
  for (const std::uint32_t nan : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu})
    EXPECT_TRUE(std::isnan(round_to_bf16(std::bit_cast<float>(nan)))) << nan;
}

TEST(DType, SizesAndNames) {
  EXPECT_EQ(byte_size(DType::f32), 4);
  EXPECT_EQ(byte_size(DType::bf16), 2);
  EXPECT_EQ(byte_size(DType::f16), 2);
  EXPECT_EQ(name(DType::f32), "f32");
  EXPECT_EQ(name(DType::bf16), "bf16");
  EXPECT_EQ(name(DType::f16), "f16");
}

// Every f16 value comes back, and what lies between two of them goes to the nearer one, ties to the even one.
TEST(F16, IsRoundedToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto low = static_cast<std::uint16_t>(bits), high = static_cast<std::uint16_t>(bits + 1);
    for (const std::uint16_t sign : {0, 0x8000})
      EXPECT_EQ(f32_to_f16(f16_to_f32(static_cast<std::uint16_t>(low | sign))), low | sign);
    const float below = f16_to_f32(low), above = bits + 1 < 0x7c00 ? f16_to_f32(high) : 65536.0f;
    const float middle = below + (above - below) / 2;
    EXPECT_EQ(f32_to_f16(middle), bits % 2 == 0 ? low : high);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), low);
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), high);
  }
  EXPECT_EQ(f32_to_f16(1e-30f), 0);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(NAN))));
  EXPECT_EQ(round_to(DType::f16, 0.1f), 0.0999755859375f);
  EXPECT_EQ(round_to(DType::bf16, 0.1f), 0.10009765625f);
  EXPECT_EQ(round_to(DType::f32, 0.1f), 0.1f);
}

}  // namespace
}  // namespace paligemma
