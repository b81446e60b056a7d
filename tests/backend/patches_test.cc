// Patches of square maps: each number lies where it should, and the way back is the transpose of the way there.
#include "fixture.h"

namespace paligemma {
namespace {

class PatchesTest : public TableTest {};
INSTANTIATE_TEST_SUITE_P(All, PatchesTest, ::testing::ValuesIn(tables_to_test()), table_name);

const PatchShape kShapes[] = {{.side = 4, .kernel = 1, .out = 4},
                              {.side = 5, .kernel = 3, .before = 1, .out = 5},
                              {.side = 2, .kernel = 7, .before = 3, .out = 2},
                              {.side = 8, .kernel = 4, .stride = 2, .before = 1, .out = 4},
                              {.side = 6, .kernel = 3, .stride = 2, .out = 3}};

View rows_of(std::vector<float>& values, std::int64_t cols) {
  return {values.data(), std::int64_t(values.size()) / cols, cols};
}

TEST_P(PatchesTest, HoldWhatTheKernelSees) {
  for (const PatchShape& of : kShapes)
    for (const std::int64_t channels : {1, 3, 17}) {
      constexpr std::int64_t kMaps = 3;
      std::vector<float> maps = numbers(kMaps * of.side * of.side * channels, 1);
      const std::int64_t width = of.kernel * of.kernel * channels;
      Matrix patches(kMaps * of.out * of.out, width);
      backend.take_patches(rows_of(maps, channels), of, patches.view());
      EXPECT_TRUE(patches.gaps_untouched());
      for (std::int64_t r = 0; r < kMaps * of.out * of.out; ++r)
        for (std::int64_t at = 0; at < width; ++at) {
          const std::int64_t map = r / (of.out * of.out), tap = at / channels;
          const std::int64_t y = r / of.out % of.out * of.stride - of.before + tap / of.kernel;
          const std::int64_t x = r % of.out * of.stride - of.before + tap % of.kernel;
          const bool inside = y >= 0 && x >= 0 && y < of.side && x < of.side;
          const float expected =
              inside ? maps[std::size_t(((map * of.side + y) * of.side + x) * channels + at % channels)] : 0;
          ASSERT_EQ(patches.at(r, at), expected) << of.kernel << " " << of.stride << " " << r << " " << at;
        }
    }
}

// <take(maps), patches> = <maps, add(patches)>, and what was there stays.
TEST_P(PatchesTest, GoBackToWhereTheyWereTaken) {
  for (const PatchShape& of : kShapes)
    for (const std::int64_t channels : {1, 5, 16}) {
      constexpr std::int64_t kMaps = 2;
      std::vector<float> maps = numbers(kMaps * of.side * of.side * channels, 1), sums(maps.size(), 0.25f);
      const std::int64_t rows = kMaps * of.out * of.out, width = of.kernel * of.kernel * channels;
      Matrix taken(rows, width), patches(rows, width, 2u);
      backend.take_patches(rows_of(maps, channels), of, taken.view());
      backend.add_patches(patches.view(), of, rows_of(sums, channels));
      double there = 0, back = 0, size = 0;
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t i = 0; i < width; ++i) there += double(taken.at(r, i)) * patches.at(r, i);
      for (std::size_t i = 0; i < maps.size(); ++i) {
        back += double(maps[i]) * (sums[i] - 0.25);
        size += std::fabs(double(maps[i]) * sums[i]);
      }
      EXPECT_NEAR(there, back, product_tolerance(of.kernel * of.kernel) * (size + 1));
    }
}

TEST_P(PatchesTest, OtherShapesAreRefused) {
  std::vector<float> maps(2 * 16), patches(2 * 16);
  const PatchShape of{.side = 4, .kernel = 1, .out = 4};
  EXPECT_NO_THROW(backend.take_patches(rows_of(maps, 1), of, rows_of(patches, 1)));
  EXPECT_THROW(backend.take_patches(rows_of(maps, 2), of, rows_of(patches, 1)), Error);
  EXPECT_THROW(backend.add_patches(rows_of(patches, 4), of, rows_of(maps, 1)), Error);
  EXPECT_THROW(backend.repeat(place_vector(backend, {1, 2}), rows_of(maps, 1)), Error);
}

TEST_P(PatchesTest, RowsAreRepeated) {
  Matrix y(3, 5);
  backend.repeat(place_vector(backend, {1, 2, 3, 4, 5}), y.view());
  EXPECT_TRUE(y.gaps_untouched());
  for (std::int64_t r = 0; r < 3; ++r)
    for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(y.at(r, i), float(i + 1));
}

}  // namespace
}  // namespace paligemma
