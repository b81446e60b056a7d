// Metrics against numbers worked out by hand, and against pycocotools (boxes, masks) and torch (KL) on random ones.
#include "eval/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/golden.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;

TEST(Metrics, BoxIouByHand) {
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 4, 4}, {0, 0, 4, 4}), 1);
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 4, 4}, {2, 0, 6, 4}), 8.0 / 24);
  EXPECT_DOUBLE_EQ(box_iou({0, 0, 4, 4}, {1, 1, 3, 3}), 4.0 / 16);
  EXPECT_EQ(box_iou({0, 0, 4, 4}, {4, 0, 8, 4}), 0);
  EXPECT_EQ(box_iou({0, 0, 4, 4}, {5, 5, 8, 8}), 0);
  EXPECT_EQ(box_iou({1, 1, 1, 1}, {1, 1, 1, 1}), 0);
}

TEST(Metrics, MaskIouByHand) {
  const Mask corner{.x = 0, .y = 0, .width = 2, .height = 2, .inside = {1, 1, 1, 0}};
  const Mask shifted{.x = 1, .y = 0, .width = 2, .height = 1, .inside = {1, 1}};
  const Mask empty{.x = 1, .y = 1, .width = 1, .height = 1, .inside = {0}};
  EXPECT_EQ(mask_iou(corner, corner), 1);
  EXPECT_EQ(mask_iou(corner, shifted), 1.0 / 4);  // one pixel of both, four of either
  EXPECT_EQ(mask_iou(corner, empty), 0);
  EXPECT_EQ(mask_iou(empty, empty), 1);
}

TEST(Metrics, BoxesAndMasksAsPycocotools) {
  const Json golden = test::golden_json("eval/metrics.json");
  for (const Json& pair : golden["boxes"])
    EXPECT_NEAR(box_iou(pair["a"], pair["b"]), pair["iou"].get<double>(), 1e-12) << pair;
  const auto mask_of = [](const Json& json) {
    Mask mask{.x = json["x"], .y = json["y"], .height = static_cast<int>(json["rows"].size())};
    for (const std::string row : json["rows"]) {
      mask.width = static_cast<int>(row.size());
      for (const char pixel : row) mask.inside.push_back(pixel == '1' ? 1 : 0);
    }
    return mask;
  };
  for (const Json& pair : golden["masks"]) {
    EXPECT_DOUBLE_EQ(mask_iou(mask_of(pair["a"]), mask_of(pair["b"])), pair["iou"].get<double>()) << pair;
    EXPECT_DOUBLE_EQ(mask_iou(mask_of(pair["b"]), mask_of(pair["a"])), pair["iou"].get<double>()) << pair;
  }
}

TEST(Metrics, DivergenceAsTorch) {
  const Json golden = test::golden_json("eval/metrics.json");
  for (const Json& pair : golden["kl"]) {
    const std::vector<float> a = pair["a"], b = pair["b"];
    const double expected = pair["kl"];
    EXPECT_NEAR(kl_divergence(a, b), expected, 1e-12 + 1e-9 * expected);
    EXPECT_EQ(kl_divergence(a, a), 0);
  }
}

TEST(Metrics, DivergenceByHand) {
  // (3/4, 1/4) from (1/2, 1/2): 3/4 log(3/2) + 1/4 log(1/2). Logits may be of any size.
  const float log3 = std::log(3.0f);
  const std::vector<float> a = {1000 + log3, 1000}, b = {-5, -5};
  EXPECT_NEAR(kl_divergence(a, b), 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-4);  // 1000 + log 3 is rounded
}

Object object(const std::string& label, const std::array<double, 4>& box) { return {.label = label, .box = box}; }

TEST(Metrics, MatchesTheLargestOverlapFirst) {
  const std::vector<Object> a = {object("cow", {0, 0, 10, 10}), object("cow", {0, 0, 10, 20}),
                                 object("dog", {0, 0, 10, 10})};
  // The first would be content with the one that is the second's own.
  const std::vector<Object> b = {object("cow", {0, 0, 10, 19}), object("cow", {0, 0, 10, 2}),
                                 object("Dog", {0, 0, 10, 10})};
  EXPECT_THAT(match_objects(a, b), ElementsAre(1u, 0u, std::nullopt));
  EXPECT_THAT(match_objects(b, a), ElementsAre(1u, 0u, std::nullopt));
  EXPECT_THAT(match_objects(a, {}), ElementsAre(std::nullopt, std::nullopt, std::nullopt));
  EXPECT_TRUE(match_objects({}, b).empty());
}

TEST(Metrics, OfEqualOverlapsTheFirstMatch) {
  const std::vector<Object> twice = {object("cow", {0, 0, 10, 10}), object("cow", {0, 0, 10, 10})};
  EXPECT_THAT(match_objects(twice, twice), ElementsAre(0u, 1u));
  EXPECT_THAT(match_objects(twice, std::span(twice).first(1)), ElementsAre(0u, std::nullopt));
  EXPECT_THAT(match_objects(twice, std::vector{object("cow", {20, 0, 30, 10})}),
              ElementsAre(std::nullopt, std::nullopt));
}

}  // namespace
}  // namespace paligemma
