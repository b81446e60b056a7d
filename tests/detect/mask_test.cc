#include "detect/mask.h"

#include <gmock/gmock.h>

#include <functional>

#include "golden.h"

namespace paligemma {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FieldsAre;

std::vector<float> map_of(const std::function<int(int x, int y)>& value) {
  std::vector<float> map;
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) map.push_back(static_cast<float>(value(x, y)));
  return map;
}

std::vector<std::uint8_t> whole_picture(const Mask& mask, int width, int height) {
  std::vector<std::uint8_t> picture(std::size_t(width) * height);
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      picture.at(std::size_t(mask.y + y) * width + mask.x + x) = mask.inside[std::size_t(y) * mask.width + x];
  return picture;
}

TEST(PasteMask, EvaluatorProfileGolden) {
  const Json cases = golden_json("codec/paste.json").at("cases");
  const auto maps = golden_tensor<float>("codec/paste.safetensors", "maps");
  ASSERT_EQ(cases.size(), 12);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const int width = cases[i].at("width"), height = cases[i].at("height");
    for (const int divisor : {1023, 1024}) {
      SCOPED_TRACE(testing::Message() << "case " << i << ", " << divisor);
      const Object object{.loc = cases[i].at("loc").get<std::array<int, 4>>()};
      const auto map = std::span(maps).subspan(i * 64 * 64, 64 * 64);
      const Mask mask = paste_mask(map, object, {width, height, divisor}, MaskProfile::evaluator);
      const auto suffix = std::to_string(divisor);
      if (mask.width > 0) {
        const auto box = cases[i].at("pixel_box_" + suffix).get<std::array<int, 4>>();
        EXPECT_THAT(box, ElementsAre(mask.y, mask.x, mask.y + mask.height, mask.x + mask.width));
      }
      const auto packed =
          golden_tensor<std::uint8_t>("codec/paste.safetensors", "pasted_" + suffix + "/" + std::to_string(i));
      std::vector<std::uint8_t> expected;
      for (int k = 0; k < width * height; ++k) expected.push_back(packed.at(k / 8) >> (7 - k % 8) & 1);
      EXPECT_EQ(whole_picture(mask, width, height), expected);
    }
  }
}

// pasted_rle.json: Pillow 13.0.0, Image.fromarray(map).resize(size, BILINEAR) > 0 inside the box, then pycocotools
// 2.0.11, mask.encode(picture)["counts"]. Boxes wider than one strip, lower than the map, and of one column.
TEST(PasteMask, StandardProfileAndRunLengthsAsPillowAndPycocotools) {
  const std::map<std::string, std::vector<float>> maps{
      {"noise", map_of([](int x, int y) { return (x * 37 + y * 91 + x * y) % 101 - 50; })},
      {"disc", map_of([](int x, int y) {
         return 600 - (x - 30) * (x - 30) - (y - 33) * (y - 33) + (x * 37 + y * 91) % 101 * 3 - 150;
       })}};
  const Json cases = golden_json("codec/pasted_rle.json");
  ASSERT_EQ(cases.size(), 10);
  for (const Json& item : cases) {
    SCOPED_TRACE(item.at("map").get<std::string>() + item.at("box").dump());
    const Frame frame{item.at("width"), item.at("height")};
    const Object object{.box = item.at("box").get<std::array<double, 4>>()};
    const Mask mask = paste_mask(maps.at(item.at("map")), object, frame, MaskProfile::standard);
    EXPECT_EQ(std::count(mask.inside.begin(), mask.inside.end(), 1), item.at("area").get<int>());
    EXPECT_EQ(coco_rle(mask, frame.width, frame.height), item.at("counts").get<std::string>());
  }
}

Mask paste_full(std::array<double, 4> box, Frame frame) {
  return paste_mask(map_of([](int, int) { return 1; }), Object{.box = box}, frame, MaskProfile::standard);
}

TEST(PasteMask, StandardProfileRoundsTheEdges) {
  EXPECT_THAT(paste_full({1.4, 2.5, 7.5, 8.49}, {20, 20}), FieldsAre(1, 3, 7, 5, testing::SizeIs(35)));
  EXPECT_THAT(paste_full({0, 0, 20, 20}, {20, 20}), FieldsAre(0, 0, 20, 20, Each(1)));
  // At least one pixel each way, and it lies in the picture.
  EXPECT_THAT(paste_full({3.6, 5.1, 4.2, 5.4}, {20, 20}), FieldsAre(3, 5, 1, 1, ElementsAre(1)));
  EXPECT_THAT(paste_full({19.6, 19.9, 20, 20}, {20, 20}), FieldsAre(19, 19, 1, 1, ElementsAre(1)));
  EXPECT_THAT(paste_full({0, 0, 0.2, 0.4}, {1, 1}), FieldsAre(0, 0, 1, 1, ElementsAre(1)));
  EXPECT_THAT(paste_full({20, 20, 20, 20}, {20, 20}), FieldsAre(19, 19, 1, 1, ElementsAre(1)));
}

TEST(PasteMask, CutsTheResizedMapAtZero) {
  const auto left_half = map_of([](int x, int) { return x < 32 ? 1 : -1; });
  const auto paste = [&](int width) {
    const Object object{.box = {5, 5, 5.0 + width, 6}};
    return paste_mask(left_half, object, {100, 100}, MaskProfile::standard).inside;
  };
  EXPECT_THAT(paste(4), ElementsAre(1, 1, 0, 0));
  // An odd width has a pixel in the middle whose weights are as many on the left as on the right: the sum is 0, and not
  // above it.
  EXPECT_THAT(paste(3), ElementsAre(1, 0, 0));
  // A thin line survives the reduction to one pixel, which sampling without antialiasing would miss: the filter is a
  // triangle of half width 64 around the middle, its 64 weights 1 - d / 64 add up to 48, and the line at d = 0.5 gets
  // 0.992 / 48 = 0.0207 of them: 100 * 0.0207 - 0.979 > 0, while 40 * 0.0207 - 0.979 < 0.
  for (const int height : {40, 100}) {
    const auto line = map_of([&](int x, int) { return x == 31 ? height : -1; });
    EXPECT_THAT(paste_mask(line, Object{.box = {0, 0, 1, 1}}, {9, 9}, MaskProfile::standard).inside,
                ElementsAre(height == 100));
  }
}

TEST(PasteMask, RefusesAMapOfAnotherSize) {
  EXPECT_THROW(paste_mask(std::vector<float>(63), Object{.box = {0, 0, 1, 1}}, {9, 9}, MaskProfile::standard), Error);
}

}  // namespace
}  // namespace paligemma
