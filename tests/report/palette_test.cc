#include "report/palette.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace paligemma {
namespace {

TEST(Palette, TheFirstTwelveAskedLabelsDiffer) {
  std::vector<Rgb> seen;
  for (int i = 0; i < 12; ++i) {
    const Rgb colour = label_colour("label", i);
    for (const Rgb other : seen) EXPECT_FALSE(colour == other) << i;
    seen.push_back(colour);
  }
}

TEST(Palette, InventedLabelsKeepTheirColourAndKeepOffTheFirstSix) {
  std::vector<Rgb> seen;
  for (int i = 0; i < 200; ++i) {
    const std::string label = "label " + std::to_string(i);
    const Rgb colour = label_colour(label, {});
    EXPECT_EQ(colour, label_colour(label, {}));
    if (std::find(seen.begin(), seen.end(), colour) == seen.end()) seen.push_back(colour);
  }
  EXPECT_EQ(seen.size(), 6u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(std::find(seen.begin(), seen.end(), label_colour("asked", i)), seen.end()) << i;
  EXPECT_EQ(label_colour("no place", -1), label_colour("no place", {}));
}

TEST(Palette, InkIsTheOneWithMoreContrast) {
  EXPECT_EQ(ink_on({255, 255, 255}), (Rgb{0, 0, 0}));
  EXPECT_EQ(ink_on({0, 0, 0}), (Rgb{255, 255, 255}));
  EXPECT_EQ(ink_on({255, 255, 0}), (Rgb{0, 0, 0}));
  EXPECT_EQ(ink_on({0, 0, 255}), (Rgb{255, 255, 255}));
  // Black and white are even where (L + 0.05)^2 = 0.05 * 1.05, L = 0.1791: between the gray levels 117 and 118.
  EXPECT_EQ(ink_on({117, 117, 117}), (Rgb{255, 255, 255}));
  EXPECT_EQ(ink_on({118, 118, 118}), (Rgb{0, 0, 0}));
}

}  // namespace
}  // namespace paligemma
