#include "data/shape.h"

#include <algorithm>
#include <array>
#include <functional>

#include "data/readers.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

// Of pycocotools 2.0.11: random polygons, inside of the picture, beyond its edges and of whole numbers, several for one
// object, and both kinds of run lengths.
TEST(ObjectShape, HasThePixelsOfPycocotools) {
  for (const Json& one : golden_json("data/shapes.json")) {
    SCOPED_TRACE(dump_json(one).substr(0, 200));
    const auto shape = shape_of_coco(one["segmentation"]);
    ASSERT_TRUE(shape.has_value());
    const int width = one["width"], height = one["height"];
    const Mask mask = rasterize(*shape, width, height);
    EXPECT_EQ(coco_rle(mask, width, height), one["counts"].get<std::string>());
    EXPECT_EQ(std::ranges::count_if(mask.inside, std::identity()), one["area"].get<int>());
  }
}

TEST(ObjectShape, IsCutToItsPixels) {
  const Mask mask = rasterize({.polygons = {{2, 1, 5, 1, 5, 3, 2, 3}}}, 8, 4);
  EXPECT_EQ((std::array{mask.x, mask.y, mask.width, mask.height}), (std::array{2, 1, 3, 2}));
  EXPECT_EQ(mask.inside, std::vector<std::uint8_t>(6, 1));
  EXPECT_TRUE(rasterize({.polygons = {{20, 1, 25, 1, 25, 3}}}, 8, 4).inside.empty());
  EXPECT_TRUE(rasterize({}, 8, 4).inside.empty());
}

TEST(ObjectShape, FarOutsideTakesNoTime) {
  const Mask mask = rasterize({.polygons = {{-1e6, -1e6, 1e6, -1e6, 1e6, 1e6, -1e6, 1e6}}}, 8, 4);
  EXPECT_EQ(mask.inside, std::vector<std::uint8_t>(32, 1));
}

TEST(RunLengths, OfTextThatIsNoneAreNothing) {
  EXPECT_EQ(read_run_lengths("5130c0"), (std::vector<std::uint32_t>{5, 1, 3, 1, 22}));
  EXPECT_EQ(read_run_lengths(""), std::vector<std::uint32_t>());
  EXPECT_EQ(read_run_lengths("P"), std::nullopt);          // more is to follow
  EXPECT_EQ(read_run_lengths("O"), std::nullopt);          // -1
  EXPECT_EQ(read_run_lengths("1 1"), std::nullopt);        // a character of no number
  EXPECT_EQ(read_run_lengths("oooooooo0"), std::nullopt);  // more than 32 bits
}

TEST(RunLengths, ThatDoNotFitTheirPictureAreRefused) {
  EXPECT_FALSE(fits({.width = 8, .height = 4, .counts = {31}}));
  EXPECT_TRUE(fits({.width = 8, .height = 4, .counts = {31, 1}}));
  EXPECT_EQ(shape_of_coco(Json::parse(R"({"size":[4,8],"counts":[1,30]})")), std::nullopt);
  expect_error(ErrorKind::usage, "mask", "expected run lengths of 8 x 4 pixels, got 4 x 8",
               [] { rasterize({.runs = {.width = 4, .height = 8, .counts = {32}}}, 8, 4); });
}

TEST(ObjectShape, OfCocoIsCheckedNumberByNumber) {
  for (const char* text :
       {R"([[1,2,3,4]])", R"([[1,2,3,4,5,6,7]])", R"([[1,2,3,4,5,"6"]])", R"([[1,2,3,4,5,1e7]])", R"([1,2,3,4,5,6])",
        R"({"size":[4],"counts":[32]})", R"({"size":[0,8],"counts":[]})", R"({"size":[4,8],"counts":[-1,33]})",
        R"({"size":[4,8],"counts":"~"})", R"({"size":[4,8]})", "7"})
    EXPECT_EQ(shape_of_coco(Json::parse(text)), std::nullopt) << text;
  EXPECT_TRUE(shape_of_coco(Json::parse("[]"))->empty());
}

}  // namespace
}  // namespace paligemma::test
