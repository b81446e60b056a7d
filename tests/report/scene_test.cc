#include "report/scene.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "object.h"

namespace paligemma {
namespace {

// Letters of 0.6 em, lines of 1.2 em, without any font.
TextSize measure(const TextBlock& block) {
  const double natural = 0.6 * block.size * static_cast<double>(block.text.size());
  if (block.max_width <= 0 || natural <= block.max_width) return {natural, 1.2 * block.size, block.size};
  const double lines = block.max_height > 0 ? std::ceil(natural / block.max_width) : 1;
  const double height = 1.2 * block.size * lines;
  return {block.max_width, block.max_height > 0 ? std::min(height, block.max_height) : height, block.size};
}

Scene scene_of(int width, int height, std::vector<Object> objects, const DrawOptions& options = {}) {
  return lay_out(width, height, {.task = Task::detect, .objects = std::move(objects)}, options, measure);
}

void expect_inside(const Rect& rect, int width, int height) {
  EXPECT_TRUE(rect.x1 >= 0 && rect.y1 >= 0 && rect.x2 <= width && rect.y2 <= height)
      << rect.x1 << ' ' << rect.y1 << ' ' << rect.x2 << ' ' << rect.y2;
  EXPECT_TRUE(rect.width() > 0 && rect.height() > 0);
}

bool overlap(const Rect& a, const Rect& b) { return a.x1 < b.x2 && b.x1 < a.x2 && a.y1 < b.y2 && b.y1 < a.y2; }

TEST(Scene, SizesFollowThePicture) {
  EXPECT_EQ(scene_of(64, 64, {}).line, 1);
  EXPECT_EQ(scene_of(640, 480, {}).line, 3);
  EXPECT_EQ(scene_of(8000, 6000, {}).line, 29);
  EXPECT_EQ(scene_of(8000, 64, {}).line, 2);  // a strip is as coarse as its short side allows
  const auto font = [](int width, int height) {
    return scene_of(width, height, {object("cow", {0.0, 0.0, 1.0 * width, 1.0 * height})})
        .plates[0]
        .texts[0]
        .block.size;
  };
  EXPECT_EQ(font(64, 64), 7);
  EXPECT_NEAR(font(640, 480), 15, 0.1);
  EXPECT_NEAR(font(8000, 6000), 130, 1);
}

TEST(Scene, FrameRunsAlongTheBoxInWholePixels) {
  const Shape shape = scene_of(640, 480, {object("cow", {100.4, 50.6, 300, 200})}).shapes[0];
  EXPECT_EQ(shape.outer.x1, 99);  // 3 pixels: one outside of the edge, two inside
  EXPECT_EQ(shape.outer.y1, 50);
  EXPECT_EQ(shape.outer.x2, 301);
  EXPECT_EQ(shape.outer.y2, 201);
  EXPECT_EQ(shape.inner.x1, 102);
  EXPECT_EQ(shape.inner.y2, 198);
}

TEST(Scene, FrameStaysInThePicture) {
  for (const std::array<double, 4>& box :
       {std::array<double, 4>{0, 0, 640, 480}, {-50, -1e300, 1e300, 500}, {639.9, 479.9, 640, 480}}) {
    const Rect outer = scene_of(640, 480, {object("", box)}).shapes[0].outer;
    EXPECT_TRUE(outer.x1 >= 0 && outer.y1 >= 0 && outer.x2 <= 640 && outer.y2 <= 480);
  }
}

TEST(Scene, SkipsBoxesThatAreNoNumbers) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const Scene scene = scene_of(640, 480, {object("a", {nan, 0, 9, 9}), object("b", {0, 0, infinity, 9})});
  EXPECT_TRUE(scene.shapes.empty());
  EXPECT_TRUE(scene.plates.empty());
}

TEST(Scene, LabelStandsOnTheBox) {
  const Scene scene = scene_of(640, 480, {object("cow", {100, 100, 300, 300}, 0.914)});
  const Plate& plate = scene.plates.at(0);
  EXPECT_EQ(plate.rect.x1, scene.shapes[0].outer.x1);
  EXPECT_EQ(plate.rect.y2, scene.shapes[0].outer.y1);
  ASSERT_EQ(plate.texts.size(), 2u);
  EXPECT_EQ(plate.texts[0].block.text, "cow");
  EXPECT_EQ(plate.texts[1].block.text, "0.91");
  EXPECT_EQ(plate.texts[0].y, plate.texts[1].y);
  for (const PlacedText& text : plate.texts) {
    const TextSize size = measure(text.block);
    EXPECT_GE(text.x, plate.rect.x1);
    EXPECT_LE(text.x + size.width, plate.rect.x2);
    EXPECT_GE(text.y, plate.rect.y1);
    EXPECT_LE(text.y + size.height, plate.rect.y2);
  }
}

TEST(Scene, LabelGoesInsideWhereThereIsNoRoomAbove) {
  const Scene scene = scene_of(640, 480, {object("cow", {100, 0, 300, 300})});
  EXPECT_EQ(scene.plates.at(0).rect.x1, scene.shapes[0].inner.x1);
  EXPECT_EQ(scene.plates.at(0).rect.y1, scene.shapes[0].inner.y1);
}

TEST(Scene, LabelGoesBelowWhereTheBoxIsTooSmall) {
  const Scene scene = scene_of(640, 480, {object("crocodile", {100, 0, 120, 12})});
  EXPECT_EQ(scene.plates.at(0).rect.y1, scene.shapes[0].outer.y2);
}

TEST(Scene, LabelsStayInThePictureAndApart) {
  std::vector<Object> objects;
  for (int i = 0; i < 4; ++i) objects.push_back(object("cow", {200, 200, 420, 330}, 0.5));  // four times the same
  for (const double x : {0.0, 300.0, 630.0})
    for (const double y : {0.0, 470.0}) objects.push_back(object("lion", {x, y, x + 10, y + 10}, 0.5));
  const Scene scene = scene_of(640, 480, objects);
  ASSERT_EQ(scene.plates.size(), objects.size());
  for (std::size_t i = 0; i < scene.plates.size(); ++i) {
    expect_inside(scene.plates[i].rect, 640, 480);
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_FALSE(overlap(scene.plates[i].rect, scene.plates[j].rect)) << i << ' ' << j;
  }
}

TEST(Scene, CrowdedLabelsStillStayInThePicture) {
  const Scene scene = scene_of(64, 64, std::vector<Object>(50, object("cow", {10, 10, 50, 50}, 0.5)));
  ASSERT_EQ(scene.plates.size(), 50u);
  for (const Plate& plate : scene.plates) expect_inside(plate.rect, 64, 64);
}

TEST(Scene, LongLabelsAreCutAndKeepTheScore) {
  for (const auto& [width, height] : {std::pair{64, 64}, {640, 480}, {8000, 6000}}) {
    const Scene scene = scene_of(width, height, {object(std::string(5000, 'm'), {1, 20, 9, 30}, 0.5)});
    const Plate& plate = scene.plates.at(0);
    expect_inside(plate.rect, width, height);
    ASSERT_EQ(plate.texts.size(), 2u);
    EXPECT_LE(plate.texts[0].x + plate.texts[0].block.max_width, plate.texts[1].x);
    EXPECT_LT(plate.texts[0].block.text.size(), 210u);
    EXPECT_LT(plate.rect.width() * plate.rect.height(), 0.3 * width * height);
  }
}

TEST(Scene, LabelsAreData) {
  const Scene scene = scene_of(640, 480, {object("a\n<b>\x1b\xff", {100, 100, 300, 300})});
  EXPECT_EQ(scene.plates.at(0).texts.at(0).block.text, "a\\n<b>\\x1b\\xff");
}

TEST(Scene, ScoresCanBeLeftOut) {
  EXPECT_EQ(scene_of(640, 480, {object("cow", {1, 1, 90, 90}, 0.5)}, {.scores = false}).plates.at(0).texts.size(), 1u);
  EXPECT_EQ(scene_of(640, 480, {object("", {1, 1, 90, 90}, 0.5)}).plates.at(0).texts.at(0).block.text, "0.50");
  EXPECT_TRUE(scene_of(640, 480, {object("", {1, 1, 90, 90})}).plates.empty());
}

TEST(Scene, TinyPicturesHaveNoLetters) {
  for (const int side : {1, 2, 16, 40}) {
    const Scene scene = scene_of(side, side, {object("cow", {0, 0, 1.0 * side, 1.0 * side}, 0.5)});
    EXPECT_EQ(scene.shapes.size(), 1u);
    EXPECT_TRUE(scene.plates.empty());
  }
}

TEST(Scene, SmallBoxesLieOnLargeOnes) {
  const Scene scene = scene_of(640, 480, {object("a", {10, 10, 20, 20}), object("b", {0, 0, 640, 480})});
  EXPECT_EQ(scene.shapes[0].outer.x2, 640);
  EXPECT_LT(scene.shapes[1].outer.x2, 30);
}

TEST(Scene, RefusesMasksThatLie) {
  Object lying = object("cow", {0, 0, 10, 10});
  for (const auto& [width, height] : {std::pair{10, 10}, {-1, -2}, {2, 3}}) {
    lying.mask = Mask{.width = width, .height = height, .inside = {1, 1}};
    try {
      scene_of(640, 480, {lying});
      FAIL() << "expected an error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "mask");
    }
  }
}

Scene answered(int width, int height, std::string answer) {
  return lay_out(width, height, {.task = Task::ask, .prompt = "answer en why?", .answer = std::move(answer)}, {},
                 measure);
}

TEST(Scene, AnswersStandInABarBelowThePicture) {
  const Scene scene = answered(640, 480, "two\nlines\x1b");
  ASSERT_TRUE(scene.bar);
  EXPECT_EQ(scene.width, 640);
  EXPECT_GT(scene.height, 500);
  EXPECT_EQ(scene.bar->rect.y1, 480);
  EXPECT_EQ(scene.bar->rect.y2, scene.height);
  ASSERT_EQ(scene.bar->texts.size(), 2u);
  EXPECT_EQ(scene.bar->texts[0].block.text, "answer en why?");
  EXPECT_EQ(scene.bar->texts[1].block.text, "two\nlines\\x1b");
  EXPECT_LT(scene.bar->texts[0].opacity, scene.bar->texts[1].opacity);
}

TEST(Scene, LongAnswersMakeAHigherBarWithinReason) {
  EXPECT_GT(answered(640, 480, std::string(300, 'm')).height, answered(640, 480, "m").height + 30);
  EXPECT_LT(answered(640, 480, std::string(1000000, 'm')).height, 1100);
  EXPECT_LT(answered(64, 64, std::string(1000000, 'm')).height, 200);
}

TEST(Scene, NoBarWithoutAnAnswerOrRoom) {
  EXPECT_FALSE(answered(640, 480, "").bar);
  EXPECT_FALSE(answered(20, 480, "no").bar);
  Result result{.answer = "cow"};
  result.objects.push_back(object("cow", {1, 1, 9, 9}));
  const Scene scene = lay_out(640, 480, result, {}, measure);
  EXPECT_FALSE(scene.bar);
  EXPECT_EQ(scene.height, 480);
}

}  // namespace
}  // namespace paligemma
