#include "train/sample_picture.h"

#include <gmock/gmock.h>

namespace paligemma::test {
namespace {

using testing::ElementsAre;

Picture gray(int width, int height) {
  Picture picture{.width = width, .height = height};
  picture.rgb.assign(3 * static_cast<std::size_t>(width) * height, 128);
  return picture;
}

TEST(SamplePicture, FitsAndKeepsItsShape) {
  const Picture wide = fitted(gray(2000, 500), 512);
  EXPECT_EQ(wide.width, 512);
  EXPECT_EQ(wide.height, 128);
  EXPECT_EQ(wide.rgb.size(), 3u * 512 * 128);
  EXPECT_EQ(fitted(gray(5000, 1), 512).height, 1);
  EXPECT_EQ(fitted(gray(100, 200), 512).height, 200);
}

TEST(SamplePicture, WhatLiesInThePictureFollowsIt) {
  Object object{.box = {100, 50, 300, 90}, .mask = Mask{.x = 100, .y = 50, .width = 200, .height = 40}};
  for (int i = 0; i < 200 * 40; ++i) object.mask->inside.push_back(i % 200 < 100);
  const Object half = scaled(object, 0.5, 0.25);
  EXPECT_THAT(half.box, ElementsAre(50, 12.5, 150, 22.5));
  ASSERT_TRUE(half.mask);
  EXPECT_EQ(half.mask->x, 50);
  EXPECT_EQ(half.mask->width, 100);
  EXPECT_EQ(half.mask->y + half.mask->height, 23);
  ASSERT_EQ(half.mask->inside.size(), std::size_t(half.mask->width) * half.mask->height);
  for (int x = 0; x < 100; ++x) EXPECT_EQ(half.mask->inside[x], x < 50);
  EXPECT_TRUE(scaled({.mask = Mask{}}, 2, 2).mask->inside.empty());
}

// The reddest point of the drawing lies on the box, which the picture has made smaller.
TEST(SamplePicture, BoxesAreDrawnWhereTheyAre) {
  const Result result{.task = Task::detect, .objects = {{.label = "", .label_index = 0, .box = {400, 400, 1600, 600}}}};
  const Picture plain = decode_picture(sample_picture(gray(2048, 1024), {}));
  const Picture drawn = decode_picture(sample_picture(gray(2048, 1024), result));
  EXPECT_EQ(drawn.width, 512);
  EXPECT_EQ(drawn.height, 256);
  const auto changed = [&](int x, int y) {
    const std::size_t at = 3 * (static_cast<std::size_t>(y) * 512 + x);
    int sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::abs(int{drawn.rgb[at + c]} - plain.rgb[at + c]);
    return sum > 60;
  };
  bool drawing = true;
  try {
    require_drawing();
  } catch (const Error&) {
    drawing = false;
  }
  EXPECT_EQ(changed(100, 125), drawing);
  EXPECT_EQ(changed(400, 125), drawing);
  EXPECT_FALSE(changed(250, 125));
  EXPECT_FALSE(changed(90, 125));
}

}  // namespace
}  // namespace paligemma::test
