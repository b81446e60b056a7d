// Every filter and both pass orders against Pillow 13.0.0 and 12.1.1. A case holds the CRC-32 of the bytes of
//   numpy.asarray(Image.fromarray(noise).resize(to, filter))
// where noise is the sequence below, as (height, width, 3) uint8 or, as noise / 16 - 8, as (height, width) float32.
#include "base/resample.h"

#include <gtest/gtest.h>

#include "support/crc32.h"

namespace paligemma {
namespace {

using test::crc32;

// The high bytes of x = x * 1664525 + 1013904223 mod 2^32 from x = 1 on, 1 itself left out.
std::vector<std::uint8_t> noise(std::size_t count) {
  std::vector<std::uint8_t> values(count);
  std::uint32_t x = 1;
  for (std::uint8_t& value : values) x = x * 1664525 + 1013904223, value = static_cast<std::uint8_t>(x >> 24);
  return values;
}

std::uint32_t crc_of_rgb(Size from, Size to, Filter filter, PassOrder order) {
  const std::vector<std::uint8_t> in = noise(std::size_t{3} * from.width * from.height);
  return crc32(std::span<const std::uint8_t>(resample_rgb(in, from, to, filter, order)));
}

struct RgbCase {
  Filter filter;
  Size from, to;
  std::uint32_t crc;
};

constexpr RgbCase kPillow13[] = {
    {Filter::nearest, {61, 47}, {20, 14}, 0xf8857f53},   {Filter::nearest, {61, 47}, {90, 130}, 0xf2223bf5},
    {Filter::nearest, {40, 130}, {33, 17}, 0xfe235f86},  {Filter::nearest, {5, 7}, {5, 3}, 0xa47d74f6},
    {Filter::nearest, {1, 1}, {4, 3}, 0xb9780917},       {Filter::nearest, {3000, 2}, {3, 2}, 0x656854c4},
    {Filter::lanczos, {61, 47}, {20, 14}, 0xf9164207},   {Filter::lanczos, {61, 47}, {90, 130}, 0xe8c725ae},
    {Filter::lanczos, {40, 130}, {33, 17}, 0x44c3a6b5},  {Filter::lanczos, {5, 7}, {5, 3}, 0xcf4e127f},
    {Filter::lanczos, {1, 1}, {4, 3}, 0xb9780917},       {Filter::lanczos, {3000, 2}, {3, 2}, 0xbfc4cd13},
    {Filter::bilinear, {61, 47}, {20, 14}, 0x62a7d445},  {Filter::bilinear, {61, 47}, {90, 130}, 0x4f5b0148},
    {Filter::bilinear, {40, 130}, {33, 17}, 0xfb1273d9}, {Filter::bilinear, {5, 7}, {5, 3}, 0x45d76226},
    {Filter::bilinear, {1, 1}, {4, 3}, 0xb9780917},      {Filter::bilinear, {3000, 2}, {3, 2}, 0x5cb61606},
    {Filter::bicubic, {61, 47}, {20, 14}, 0x9c80a8b1},   {Filter::bicubic, {61, 47}, {90, 130}, 0x59f5e03c},
    {Filter::bicubic, {40, 130}, {33, 17}, 0x14231529},  {Filter::bicubic, {5, 7}, {5, 3}, 0xeb6ee8f0},
    {Filter::bicubic, {1, 1}, {4, 3}, 0xb9780917},       {Filter::bicubic, {3000, 2}, {3, 2}, 0xd821d22b},
    {Filter::box, {61, 47}, {20, 14}, 0x8cab8ac7},       {Filter::box, {61, 47}, {90, 130}, 0xf2223bf5},
    {Filter::box, {40, 130}, {33, 17}, 0x040eab14},      {Filter::box, {5, 7}, {5, 3}, 0x556aaf54},
    {Filter::box, {1, 1}, {4, 3}, 0xb9780917},           {Filter::box, {3000, 2}, {3, 2}, 0x3546d40e},
    {Filter::hamming, {61, 47}, {20, 14}, 0xff83c083},   {Filter::hamming, {61, 47}, {90, 130}, 0x2ebbea2c},
    {Filter::hamming, {40, 130}, {33, 17}, 0x8c4a2f03},  {Filter::hamming, {5, 7}, {5, 3}, 0xae8d480d},
    {Filter::hamming, {1, 1}, {4, 3}, 0xb9780917},       {Filter::hamming, {3000, 2}, {3, 2}, 0x49263d90},
};

// Where Pillow 12.1.1, which always has the horizontal pass first, differs from 13.
constexpr RgbCase kPillow12[] = {
    {Filter::lanczos, {40, 130}, {33, 17}, 0x7af9e509}, {Filter::bilinear, {40, 130}, {33, 17}, 0xd3f4a4a2},
    {Filter::bicubic, {40, 130}, {33, 17}, 0x76a6a3ee}, {Filter::box, {40, 130}, {33, 17}, 0xba360280},
    {Filter::hamming, {40, 130}, {33, 17}, 0xfdb41aa1},
};

struct FloatCase {
  Size from, to;
  std::uint32_t crc;
};

constexpr FloatCase kFloats[] = {
    {{64, 64}, {17, 5}, 0x8faeb2bb},  {{64, 64}, {200, 131}, 0x53d44af6}, {{64, 64}, {64, 30}, 0x1001a1e9},
    {{64, 64}, {10, 64}, 0x8f3ff6c2}, {{9, 31}, {8, 2}, 0x1e0551f5},      {{64, 64}, {1, 1}, 0x61ea1a1c},
};

TEST(Resample, EqualsPillow13) {
  for (const RgbCase& c : kPillow13) {
    EXPECT_EQ(crc_of_rgb(c.from, c.to, c.filter, PassOrder::by_shrinkage), c.crc)
        << "filter " << static_cast<int>(c.filter) << ", " << c.from.width << "x" << c.from.height << " to "
        << c.to.width << "x" << c.to.height;
  }
}

TEST(Resample, EqualsPillow12WithTheHorizontalPassFirst) {
  for (const RgbCase& c : kPillow12) {
    EXPECT_EQ(crc_of_rgb(c.from, c.to, c.filter, PassOrder::horizontal_first), c.crc)
        << "filter " << static_cast<int>(c.filter);
  }
}

TEST(Resample, FloatsEqualPillowsModeF) {
  for (const FloatCase& c : kFloats) {
    std::vector<float> in;
    for (const std::uint8_t value : noise(static_cast<std::size_t>(c.from.width) * c.from.height)) {
      in.push_back(static_cast<float>(value) / 16 - 8);
    }
    const std::vector<float> out = resample_bilinear(in, c.from.width, c.from.height, c.to.width, c.to.height);
    EXPECT_EQ(crc32(std::span<const float>(out)), c.crc) << c.to.width << "x" << c.to.height;
  }
}

// More taps than one run of products may have without leaving an int.
TEST(Resample, ALongRowOfOneColourKeepsIt) {
  const std::vector<std::uint8_t> white(std::size_t{3} * 50000, 255);
  EXPECT_EQ(resample_rgb(white, {50000, 1}, {1, 1}, Filter::bicubic, PassOrder::by_shrinkage),
            (std::vector<std::uint8_t>{255, 255, 255}));
}

TEST(Resample, TheSameSizeIsACopy) {
  const std::vector<std::uint8_t> in = noise(3 * 7 * 5);
  EXPECT_EQ(resample_rgb(in, {7, 5}, {7, 5}, Filter::lanczos, PassOrder::by_shrinkage), in);
}

}  // namespace
}  // namespace paligemma
