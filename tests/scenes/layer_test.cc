// Drawings turned out on a picture.
#include "scenes/layer.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "scenes/sign.h"
#include "test_scenes.h"

namespace paligemma::test {
namespace {

using world::Bitmap;
using world::Drawing;
using world::Layer;

const Drawing& drawing_of(std::string_view thing) {
  return artwork().things[static_cast<std::size_t>(thing_called(thing))][0];
}

std::uint32_t pixel_of(const Bitmap& bitmap, int x, int y) {
  return bitmap.pixels[static_cast<std::size_t>(y + 1) * (bitmap.width + 2) + x + 1];
}

std::uint32_t pixel_of(const Layer& layer, int x, int y) {
  x -= layer.x, y -= layer.y;
  if (x < 0 || y < 0 || x >= layer.width || y >= layer.height) return 0;
  return layer.pixels[static_cast<std::size_t>(y) * layer.width + x];
}

double covered_area(const Layer& layer) {
  double area = 0;
  for (const std::uint32_t pixel : layer.pixels) area += (pixel >> 24) / 255.0;
  return area;
}

// The middle of the drawing's ink, so that its pixels fall onto the picture's with an offset.
world::Pose pose_at(const Drawing& drawing, int offset) {
  return {.x = (drawing.ink[0] + drawing.ink[2]) / 2.0 + offset, .y = (drawing.ink[1] + drawing.ink[3]) / 2.0 + offset};
}

TEST(Layers, AtItsOwnSizeADrawingIsItself) {
  const Drawing& cow = drawing_of("cow");
  const Layer layer = world::turn_out(cow, pose_at(cow, 30), 224);
  for (int y = cow.ink[1]; y < cow.ink[3]; ++y)
    for (int x = cow.ink[0]; x < cow.ink[2]; ++x)
      ASSERT_EQ(pixel_of(layer, x + 30, y + 30), pixel_of(cow.levels[0], x, y)) << x << ", " << y;
}

TEST(Layers, FlippedItIsItsMirrorImage) {
  const Drawing& horse = drawing_of("horse");
  world::Pose pose = pose_at(horse, 30);
  pose.flipped = true;
  const Layer layer = world::turn_out(horse, pose, 224);
  for (int y = horse.ink[1]; y < horse.ink[3]; ++y)
    for (int x = horse.ink[0]; x < horse.ink[2]; ++x)
      ASSERT_EQ(pixel_of(layer, horse.ink[0] + horse.ink[2] - 1 - x + 30, y + 30), pixel_of(horse.levels[0], x, y));
}

TEST(Layers, TheAreaFollowsTheScaleAndNoTurn) {
  for (const char* name : {"cow", "bicycle", "ball", "giraffe"}) {
    const Drawing& drawing = drawing_of(name);
    const double own = covered_area(world::turn_out(drawing, pose_at(drawing, 200), 896));
    for (const double scale : {0.12, 0.2, 0.35, 0.6, 1.3, 2.5})
      for (const int degrees : {-10, 0, 10}) {
        world::Pose pose = pose_at(drawing, 300);
        pose.scale = scale, pose.degrees = degrees;
        const double area = covered_area(world::turn_out(drawing, pose, 896));
        // One pixel in sixteen: what is left of an edge in small pictures.
        EXPECT_NEAR(area / (scale * scale * own), 1, 1.0 / 16) << name << " " << scale << " " << degrees;
      }
  }
}

// Columns that are covered in turn become half covered ones; one sample a pixel would show stripes.
TEST(Layers, SmallOnesAreSmooth) {
  constexpr int kSide = 40;
  Drawing drawing{.ink = {0, 0, kSide, kSide}};
  drawing.levels[0] = {kSide, kSide, std::vector<std::uint32_t>((kSide + 2) * (kSide + 2))};
  for (int y = 1; y <= kSide; ++y)
    for (int x = 1; x <= kSide; x += 2)
      drawing.levels[0].pixels[static_cast<std::size_t>(y * (kSide + 2) + x)] = 0xffffffff;
  const Layer layer = world::turn_out(drawing, {.x = 56, .y = 56, .scale = 0.55}, 112);
  for (int y = 48; y < 64; ++y)
    for (int x = 48; x < 64; ++x) EXPECT_NEAR(pixel_of(layer, x, y) >> 24, 127.5, 32) << x << ", " << y;
}

TEST(Layers, APositiveAngleTurnsToTheRight) {
  const Drawing& giraffe = drawing_of("giraffe");
  const auto middle_of_row = [&](const Layer& layer, int y) {
    double sum = 0, count = 0;
    for (int x = 0; x < layer.width; ++x)
      if (layer.pixels[static_cast<std::size_t>(y) * layer.width + x] >> 24 > 127) sum += x, ++count;
    return layer.x + sum / count;
  };
  world::Pose pose = pose_at(giraffe, 100);
  const double head = middle_of_row(world::turn_out(giraffe, pose, 400), 12);
  pose.degrees = 10;
  EXPECT_GT(middle_of_row(world::turn_out(giraffe, pose, 400), 12), head + 5);
}

TEST(Layers, StayInThePicture) {
  const Drawing& cow = drawing_of("cow");
  for (const double x : {-500.0, -20.0, 100.0, 130.0, 900.0}) {
    const Layer layer = world::turn_out(cow, {.x = x, .y = 105}, 112);
    EXPECT_GE(layer.x, 0);
    EXPECT_LE(layer.x + layer.width, 112);
    EXPECT_LE(layer.y + layer.height, 112);
  }
}

TEST(Layers, WhatCoversAllReplaces) {
  Picture picture{.width = 4, .height = 4, .rgb = std::vector<std::uint8_t>(48, 200)};
  const Layer layer{.x = 1, .y = 2, .width = 2, .height = 1, .pixels = {0xff030201, 0x80000000}};
  world::lay_over(picture, layer);
  EXPECT_EQ(picture.rgb[3 * (2 * 4 + 1)], 1);
  EXPECT_EQ(picture.rgb[3 * (2 * 4 + 1) + 2], 3);
  EXPECT_EQ(picture.rgb[3 * (2 * 4 + 2)], 100);  // 200 * 127 / 255, rounded
  EXPECT_EQ(picture.rgb[0], 200);
}

TEST(Artwork, IsThereForAllThatTheWorldNames) {
  ASSERT_EQ(artwork().things.size(), world::sign_place());
  for (std::size_t i = 0; i < artwork().things.size(); ++i) {
    const world::Thing& thing = world::things()[i];
    EXPECT_EQ(artwork().things[i].size(), thing.hue >= 0 ? world::kTints : 1) << thing.name;
    const auto& [left, top, right, bottom] = artwork().things[i][0].ink;
    EXPECT_GT(std::max(right - left, bottom - top), 90) << thing.name;
  }
}

TEST(Artwork, TintsAreWhatTheyAreCalled) {
  for (const char* name : {"car", "balloon", "umbrella"})
    for (std::size_t tint = 0; tint < world::kTints; ++tint) {
      const Drawing& drawing = artwork().things[static_cast<std::size_t>(thing_called(name))][tint];
      // The mean of the pixels that are far from gray, as an angle.
      double across = 0, up = 0;
      for (const std::uint32_t pixel : drawing.levels[0].pixels) {
        const double r = pixel & 255, g = pixel >> 8 & 255, b = pixel >> 16 & 255;
        if (std::max({r, g, b}) - std::min({r, g, b}) < 100) continue;
        across += r - (g + b) / 2, up += std::sqrt(0.75) * (g - b);
      }
      const double hue = std::atan2(up, across) * 180 / 3.14159265358979;
      EXPECT_NEAR(std::remainder(hue - world::colours()[tint].hue, 360), 0, 15)
          << name << " " << world::colours()[tint].name;
    }
}

TEST(Signs, EveryWordIsAsWideAsItsLettersSay) {
  const auto width = [](std::string_view text, int face) {
    return world::board_width(artwork(), {.text = std::string(text), .face = face});
  };
  for (int face = 0; face < world::kLatinFaces; ++face) {
    for (const std::string_view word : world::latin_words())
      EXPECT_GT(width(word, face), 0.3 * word.size() + 0.5) << word;
    for (const char letter : world::kSignLetters) EXPECT_GT(width({&letter, 1}, face), 0.7) << letter;
  }
  for (const std::string_view word : world::hangul_words())
    EXPECT_NEAR(width(word, world::kLatinFaces), 0.6 + 66.0 / 70 * (word.size() / 3), 1e-9) << word;
}

TEST(Signs, ABoardHasWholeEdgesAndTwoColoursOfLetters) {
  for (const char* name : {"red", "yellow", "green", "blue", "white"}) {
    const world::Board board{.text = "H", .face = 0, .colour = colour_called(name)};
    const Layer layer = world::paint_board(artwork(), board, 60.3, 50.2, 30, 256, 112);
    for (const std::uint32_t pixel : layer.pixels) ASSERT_EQ(pixel >> 24, 255u);
    // The bar of the H lies in the middle.
    const std::uint32_t middle = pixel_of(layer, 60, 50) & 0xffffff;
    EXPECT_EQ(middle, name == std::string("yellow") || name == std::string("white") ? 0u : 0xffffffu) << name;
  }
}

}  // namespace
}  // namespace paligemma::test
