#include "image/patches.h"

#include <gtest/gtest.h>

#include "image/resize.h"
#include "support/golden.h"

namespace paligemma {
namespace {

// Patch (row 1, column 0) of a 4x4 picture whose value at (y, x, c) is 40 y + 10 x + c.
TEST(Patches, LieInTheOrderChannelYX) {
  Picture picture{.width = 4, .height = 4, .rgb = {}};
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      for (int c = 0; c < 3; ++c) picture.rgb.push_back(static_cast<std::uint8_t>(40 * y + 10 * x + c));
    }
  }
  std::vector<float> out(4 * 12);
  write_patches(picture, 2, {.rescale = 1, .mean = {0, 0, 0}, .std = {1, 1, 2}}, View(out.data(), 4, 12));
  EXPECT_EQ(std::vector<float>(out.begin() + 24, out.begin() + 36),
            (std::vector<float>{80, 90, 120, 130, 81, 91, 121, 131, 41, 46, 61, 66}));
}

TEST(Patches, OfValuesThatAreReady) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // 2x2
  std::vector<float> out(12);
  write_patches(values, 2, 2, View(out.data(), 1, 12));
  EXPECT_EQ(out, (std::vector<float>{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}));
}

TEST(Patches, ValuesEqualTheReferenceBitForBit) {
  const Safetensors golden = test::golden_tensors("pictures/resized.safetensors");
  const std::vector<float> expected = test::values(golden.tensors.at("cat.png/56/pixel_values"));  // (3,56,56)
  const Picture cat = resize(read_picture(test::golden("pictures/cat.png")), 56, 56, Resize::automatic);
  std::vector<float> out(16 * 588);
  write_patches(cat, 14, {}, View(out.data(), 16, 588));
  ASSERT_EQ(expected.size(), out.size());
  for (int n = 0; n < 16; ++n) {
    for (int i = 0; i < 588; ++i) {
      const int c = i / 196, y = n / 4 * 14 + i % 196 / 14, x = n % 4 * 14 + i % 14;
      ASSERT_EQ(out[n * 588 + i], expected[(c * 56 + y) * 56 + x]) << "patch " << n << ", value " << i;
    }
  }
}

}  // namespace
}  // namespace paligemma
