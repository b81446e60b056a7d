#include "image/encode.h"

#include <gtest/gtest.h>

#include <cmath>

#include "image/png_source.h"
#include "support/golden.h"

namespace paligemma {
namespace {

Picture cat() { return read_picture(test::golden("pictures/cat.png")); }

// Mean absolute difference of the values.
double distance(const Picture& a, const Picture& b) {
  EXPECT_EQ(a.rgb.size(), b.rgb.size());
  double sum = 0;
  for (std::size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

TEST(Encode, PngIsLossless) {
  const Picture picture = cat(), again = decode_picture(encode_picture(picture, "png"));
  EXPECT_EQ(again.width, picture.width);
  EXPECT_EQ(again.height, picture.height);
  EXPECT_EQ(again.rgb, picture.rgb);
}

// libjpeg's step at quality 90 is 3 to 24 of 255 in luma, libwebp's is alike: the mean error stays below half of the
// smallest ones, and is larger at a lower quality.
TEST(Encode, JpegAndWebpAreCloseAndMoreSoAtAHigherQuality) {
  const Picture picture = cat();
  for (const char* format : {"jpg", "jpeg", "webp"}) {
    const auto good = encode_picture(picture, format, 90), poor = encode_picture(picture, format, 30);
    EXPECT_LT(poor.size(), good.size()) << format;
    const double good_distance = distance(decode_picture(good), picture);
    EXPECT_LT(good_distance, 4) << format;
    EXPECT_GT(distance(decode_picture(poor), picture), good_distance) << format;
  }
}

// A red line of one pixel on white stays red: colour is not halved.
TEST(Encode, JpegKeepsThinColouredLines) {
  Picture picture{.width = 32, .height = 32, .rgb = std::vector<std::uint8_t>(32 * 32 * 3, 255)};
  for (int y = 0; y < 32; ++y) picture.rgb[(y * 32 + 13) * 3 + 1] = picture.rgb[(y * 32 + 13) * 3 + 2] = 0;
  const Picture again = decode_picture(encode_picture(picture, "jpg", 95));
  const std::uint8_t* pixel = &again.rgb[(16 * 32 + 13) * 3];
  EXPECT_GT(pixel[0], 215);
  EXPECT_LT(pixel[1], 40);
  EXPECT_LT(pixel[2], 40);
}

TEST(Encode, GrayPng) {
  const std::vector<std::uint8_t> gray{0, 255, 255, 0, 7, 0};
  const std::vector<std::byte> png = encode_gray_png(gray, 3, 2);
  EXPECT_EQ(png[24], std::byte{8});  // bits
  EXPECT_EQ(png[25], std::byte{0});  // gray
  const Picture picture = decode_picture(png);
  EXPECT_EQ(picture.width, 3);
  EXPECT_EQ(picture.rgb, (std::vector<std::uint8_t>{0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0, 7, 7, 7, 0, 0, 0}));
}

TEST(Encode, APngSaysWhereItIsFrom) {
  const std::vector<std::byte> png = encode_picture(cat(), "png");
  EXPECT_EQ(source_of(png), "");
  const std::vector<std::byte> marked = with_source(png, "a test");
  EXPECT_EQ(source_of(marked), "a test");
  EXPECT_EQ(source_of(std::span(marked).first(kSourceBytes)), "a test");
  EXPECT_EQ(decode_picture(marked).rgb, decode_picture(png).rgb);
  for (std::size_t size = 0; size < 54; ++size) EXPECT_EQ(source_of(std::span(marked).first(size)), "") << size;
  std::vector<std::byte> long_one = marked;
  long_one[33] = std::byte{0xff};
  EXPECT_EQ(source_of(long_one), "");
}

TEST(Encode, SaysWhatItCannotWrite) {
  const auto code = [](const Picture& picture, std::string_view format) {
    try {
      encode_picture(picture, format);
    } catch (const Error& error) {
      return error.code();
    }
    return std::string();
  };
  EXPECT_EQ(code(cat(), "tiff"), "image_format");
  const Picture wide{.width = 70000, .height = 1, .rgb = std::vector<std::uint8_t>(210000)};
  EXPECT_EQ(code(wide, "png"), "");
  EXPECT_EQ(code(wide, "jpg"), "image_encode");
  EXPECT_EQ(code(wide, "webp"), "image_encode");
}

}  // namespace
}  // namespace paligemma
