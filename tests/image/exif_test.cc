#include "image/exif.h"

#include <gtest/gtest.h>

#include <string_view>

namespace paligemma {
namespace {

using namespace std::string_view_literals;

int orientation(std::string_view exif) { return exif_orientation(std::as_bytes(std::span(exif))); }

TEST(Exif, FindsTheOrientationInBothByteOrders) {
  EXPECT_EQ(orientation("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"sv), 6);
  EXPECT_EQ(orientation("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"sv), 8);
  EXPECT_EQ(orientation("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x05"sv), 5);
  // After another tag, in a directory that does not follow the header at once.
  EXPECT_EQ(orientation("II*\0\x0a\0\0\0xx\x02\0\x0f\x01\x02\0\x01\0\0\0A\0\0\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0"sv),
            3);
}

TEST(Exif, NonsenseIsUpright) {
  EXPECT_EQ(orientation(""), 1);
  EXPECT_EQ(orientation("II*\0"sv), 1);
  EXPECT_EQ(orientation("II*\0\xff\xff\xff\xff"sv), 1);
  EXPECT_EQ(orientation("MM\0*\0\0\0\x08\xff\xff"sv), 1);                                  // no entries
  EXPECT_EQ(orientation("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0"sv), 1);  // 9
  EXPECT_EQ(orientation("II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0"sv), 1);  // a text
  EXPECT_EQ(orientation("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"sv), 1);            // cut off
}

// The picture
//   a b c
//   d e f
// as it must lie after each orientation; the letters are the red values.
TEST(Exif, TurnsAllEightWays) {
  struct Case {
    int orientation;
    std::string_view rows;
    int width;
  };
  for (const Case& c : {Case{1, "abcdef", 3}, Case{2, "cbafed", 3}, Case{3, "fedcba", 3}, Case{4, "defabc", 3},
                        Case{5, "adbecf", 2}, Case{6, "daebfc", 2}, Case{7, "fcebda", 2}, Case{8, "cfbead", 2}}) {
    Picture picture{.width = 3, .height = 2, .rgb = {}};
    for (const char letter : "abcdef"sv) picture.rgb.insert(picture.rgb.end(), {std::uint8_t(letter), 0, 1});
    const Picture upright = turn_upright(std::move(picture), c.orientation);
    EXPECT_EQ(upright.width, c.width);
    EXPECT_EQ(upright.height, 6 / c.width);
    std::string reds;
    for (std::size_t i = 0; i < upright.rgb.size(); i += 3) reds += static_cast<char>(upright.rgb[i]);
    EXPECT_EQ(reds, c.rows) << c.orientation;
  }
}

}  // namespace
}  // namespace paligemma
