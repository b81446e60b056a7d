// Polygons, run lengths and what masks share, as pycocotools 2.0.11 has them (mask.frPyObjects, merge, area, iou) for
// random polygons: inside the picture and beyond its edges, of whole and half numbers, several for one object.
#include "detect/run_lengths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;

TEST(RunLengths, PolygonsAsPycocotools) {
  for (const Json& one : golden_json("detect/polygons.json")) {
    SCOPED_TRACE(dump_json(one));
    const RunLengths runs =
        fill_polygons(one["polygons"].get<std::vector<std::vector<double>>>(), one["width"], one["height"]);
    EXPECT_EQ(run_lengths_text(runs), one["counts"].get<std::string>());
    EXPECT_TRUE(fits(runs));
    EXPECT_EQ(pixels_inside(runs), one["area"].get<std::int64_t>());
    const RunLengths other{.width = runs.width,
                           .height = runs.height,
                           .counts = read_run_lengths(one["other"].get<std::string>()).value()};
    const double both = pixels_inside(runs, other);
    const double either = one["crowd"] == 1 ? pixels_inside(runs) : pixels_inside(runs) + pixels_inside(other) - both;
    EXPECT_DOUBLE_EQ(both == 0 ? 0 : both / either, one["iou"].get<double>());
    EXPECT_EQ(pixels_inside(other, runs), both);
  }
}

TEST(RunLengths, TextThereAndBack) {
  const RunLengths runs{.counts = {0, 7, 100000, 3, 0, 0, 12, 4294967295u}};
  EXPECT_EQ(read_run_lengths(run_lengths_text(runs)), runs.counts);
  EXPECT_THAT(read_run_lengths("").value(), ElementsAre());
  EXPECT_THAT(read_run_lengths(";320009").value(), ElementsAre(11, 3, 2, 3, 2, 3, 11));
}

TEST(RunLengths, TextThatIsNone) {
  for (const char* text : {"o", "12 ", "ooooooo0", "O", "\xff", "1/"}) EXPECT_FALSE(read_run_lengths(text)) << text;
}

TEST(RunLengths, FitTheirPicture) {
  EXPECT_TRUE(fits({.width = 2, .height = 3, .counts = {1, 5}}));
  EXPECT_FALSE(fits({.width = 2, .height = 3, .counts = {1, 4}}));
  EXPECT_TRUE(fits({.counts = {1, 4}}));
}

TEST(RunLengths, PolygonsWithoutPixels) {
  EXPECT_THAT(fill_polygons({}, 4, 2).counts, ElementsAre(8));
  EXPECT_THAT(fill_polygons(std::vector<std::vector<double>>{{1, 1}, {}, {1}}, 4, 2).counts, ElementsAre(8));
  EXPECT_THAT(fill_polygons(std::vector<std::vector<double>>{{-9, -9, 99, -9, 99, 99, -9, 99}}, 4, 2).counts,
              ElementsAre(0, 8));
}

}  // namespace
}  // namespace paligemma::test
