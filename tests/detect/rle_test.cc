// Expected strings: pycocotools 2.0.11, mask.encode(np.asfortranarray(picture))["counts"]. More in mask_test.cc.
#include <gtest/gtest.h>

#include "detect/mask.h"

namespace paligemma {
namespace {

TEST(CocoRle, SmallPictures) {
  EXPECT_EQ(coco_rle({}, 1, 1), "1");
  EXPECT_EQ(coco_rle({}, 4, 3), "<");
  EXPECT_EQ(coco_rle({0, 0, 4, 3, std::vector<std::uint8_t>(12, 1)}, 4, 3), "0<");
  EXPECT_EQ(coco_rle({2, 1, 3, 3, std::vector<std::uint8_t>(9, 1)}, 7, 5), ";320009");
  EXPECT_EQ(coco_rle({2, 1, 3, 3, {1, 0, 1, 0, 1, 0, 1, 0, 1}}, 7, 5), ";1102000N0:");
}

TEST(CocoRle, LargePictureWithASmallMask) {
  EXPECT_EQ(coco_rle({9000, 4000, 3, 2, std::vector<std::uint8_t>(6, 1)}, 17941, 9973), "XWYce22cg9000bbUPe2");
}

TEST(CocoRle, AnyByteButZeroIsInside) {
  EXPECT_EQ(coco_rle({2, 1, 3, 3, {1, 0, 255, 0, 2, 0, 1, 0, 1}}, 7, 5), ";1102000N0:");
}

TEST(CocoRle, RefusesMasksThatDoNotFit) {
  const auto ones = [](int n) { return std::vector<std::uint8_t>(n, 1); };
  EXPECT_THROW(coco_rle({5, 0, 3, 1, ones(3)}, 7, 5), Error);
  EXPECT_THROW(coco_rle({0, 3, 1, 3, ones(3)}, 7, 5), Error);
  EXPECT_THROW(coco_rle({-1, 0, 3, 1, ones(3)}, 7, 5), Error);
  EXPECT_THROW(coco_rle({0, 0, 3, 1, ones(2)}, 7, 5), Error);
  EXPECT_THROW(coco_rle({2147483647, 0, 1, 1, ones(1)}, 7, 5), Error);
}

}  // namespace
}  // namespace paligemma
