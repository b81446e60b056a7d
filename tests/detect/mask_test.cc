#include "detect/mask.h"

#include <gtest/gtest.h>

#include <random>

#include "detect/mask_codec.h"
#include "support/golden.h"

namespace paligemma {
namespace {

// A picture as 0 and 1, row by row.
std::vector<std::uint8_t> unpack(const RawTensor& packed, std::size_t pixels) {
  std::vector<std::uint8_t> out(pixels);
  for (std::size_t i = 0; i < pixels; ++i) out[i] = std::to_integer<int>(packed.bytes[i / 8]) >> (7 - i % 8) & 1;
  return out;
}

std::vector<std::uint8_t> whole_picture(const Mask& mask, int width, int height) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      out[static_cast<std::size_t>((mask.y + y) * width + mask.x + x)] = mask.inside[static_cast<std::size_t>(y * mask.width + x)];
  return out;
}

TEST(Mask, EvaluatorProfileIsTheOriginalBitForBit) {
  const Json cases = testing::golden_json("codec/paste.json")["cases"];
  const Safetensors expected = testing::golden_tensors("codec/paste.safetensors");
  const std::vector<float> maps = testing::values(expected.tensors.at("maps"));
  ASSERT_EQ(cases.size(), 12u);
  for (std::size_t i = 0; i < cases.size(); ++i)
    for (const int divisor : {1023, 1024}) {
      const int width = cases[i]["width"], height = cases[i]["height"];
      const auto loc = cases[i]["loc"].get<std::array<int, 4>>();
      const auto map = std::span(maps).subspan(i * kMapSide * kMapSide, kMapSide * kMapSide);
      const Mask mask = paste_mask(map, loc, {width, height, divisor}, MaskProfile::evaluator);
      const auto pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
      const std::string name = "pasted_" + std::to_string(divisor) + "/" + std::to_string(i);
      EXPECT_EQ(whole_picture(mask, width, height), unpack(expected.others.at(name), pixels)) << name;
    }
}

std::vector<float> constant_map(float value) { return std::vector<float>(kMapSide * kMapSide, value); }

// By hand, with the divisor 1000 on a picture of 10 x 10: 149 -> 1.49 -> 1, 150 -> 1.5 -> 2, 851 -> 8.51 -> 9.
TEST(Mask, StandardProfileRoundsEdges) {
  const Mask a = paste_mask(constant_map(1), {149, 150, 851, 1000}, {10, 10, 1000}, MaskProfile::standard);
  EXPECT_EQ(a.y, 1);
  EXPECT_EQ(a.x, 2);
  EXPECT_EQ(a.height, 8);
  EXPECT_EQ(a.width, 8);
  EXPECT_EQ(a.inside, std::vector<std::uint8_t>(64, 1));
}

TEST(Mask, StandardProfileKeepsOnePixel) {
  const Mask inner = paste_mask(constant_map(1), {501, 501, 502, 502}, {10, 10, 1000}, MaskProfile::standard);
  EXPECT_EQ(inner.width * inner.height, 1);
  EXPECT_EQ(inner.x, 5);
  const Mask edge = paste_mask(constant_map(1), {999, 999, 1000, 1000}, {10, 10, 1000}, MaskProfile::standard);
  EXPECT_EQ(edge.width * edge.height, 1);
  EXPECT_EQ(edge.x, 9);
  EXPECT_EQ(edge.y, 9);
  const Mask none = paste_mask(constant_map(1), {501, 501, 502, 502}, {10, 10, 1000}, MaskProfile::evaluator);
  EXPECT_EQ(none.inside.size(), 0u);
}

TEST(Mask, ZeroIsOutside) {
  const Mask mask = paste_mask(constant_map(0), {0, 0, 1000, 1000}, {4, 4, 1000}, MaskProfile::standard);
  EXPECT_EQ(mask.inside, std::vector<std::uint8_t>(16, 0));
}

Mask make_mask(int x, int y, int width, int height, std::vector<std::uint8_t> inside) {
  return {.x = x, .y = y, .width = width, .height = height, .inside = std::move(inside)};
}

// Expected strings: pycocotools 2.0.11, mask.encode(np.asfortranarray(picture))["counts"].
TEST(Rle, StringsOfPycocotools) {
  EXPECT_EQ(coco_rle(make_mask(0, 0, 4, 3, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}), 4, 3), "0<");
  EXPECT_EQ(coco_rle(make_mask(0, 0, 4, 3, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 4, 3), "<");
  EXPECT_EQ(coco_rle(make_mask(1, 1, 2, 2, {1, 0, 1, 1}), 4, 3), "422O1");
  EXPECT_EQ(coco_rle(make_mask(3, 2, 1, 1, {1}), 4, 3), ";1");
  EXPECT_EQ(coco_rle(make_mask(0, 0, 1, 1, {1}), 4, 3), "01;");
  EXPECT_EQ(coco_rle(make_mask(100, 200, 3, 2, {1, 1, 0, 0, 1, 1}), 640, 480), "XR_11o>10Og`k7");
  EXPECT_EQ(coco_rle(make_mask(29999, 0, 1, 2, {1, 1}), 30000, 20000), "PomUla02n`c0");
  EXPECT_EQ(coco_rle(make_mask(2, 3, 4, 5, {0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0}), 7, 9), "i0140N1212O7");
}

// Fills rings by the even-odd rule at pixel centres.
std::vector<std::uint8_t> fill(const std::vector<std::vector<double>>& rings, int width, int height) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(width * height));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const auto& ring : rings)
        for (std::size_t i = 0; i < ring.size(); i += 2) {
          const std::size_t j = (i + 2) % ring.size();
          const bool crosses = (ring[i + 1] > y + 0.5) != (ring[j + 1] > y + 0.5) && ring[i] > x + 0.5;  // edges are upright
          if (crosses) out[static_cast<std::size_t>(y * width + x)] ^= 1;
        }
  return out;
}

TEST(Polygons, FillingThemGivesTheMaskBack) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const int width = 1 + static_cast<int>(random() % 12), height = 1 + static_cast<int>(random() % 12);
    std::vector<std::uint8_t> inside(static_cast<std::size_t>(width * height));
    for (auto& pixel : inside) pixel = random() % 3 != 0;
    const Mask mask = make_mask(3, 2, width, height, inside);
    EXPECT_EQ(fill(polygons(mask), width + 5, height + 4), whole_picture(mask, width + 5, height + 4));
  }
}

TEST(Polygons, SquareWithAHole) {
  const auto rings = polygons(make_mask(10, 20, 3, 3, {1, 1, 1, 1, 0, 1, 1, 1, 1}));
  ASSERT_EQ(rings.size(), 2u);
  EXPECT_EQ(rings[0], (std::vector<double>{10, 20, 13, 20, 13, 23, 10, 23}));
  EXPECT_EQ(rings[1].size(), 8u);
}

TEST(Polygons, PixelsThatTouchAtACornerStayApart) { EXPECT_EQ(polygons(make_mask(0, 0, 2, 2, {1, 0, 0, 1})).size(), 2u); }

}  // namespace
}  // namespace paligemma
