// Pictures of scenes: backdrops, and things over them where the labels say.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "scenes/scene.h"
#include "test_scenes.h"

namespace paligemma::test {
namespace {

using world::Scene;

int largest_difference(const Picture& one, const Picture& other, std::size_t pixel) {
  int largest = 0;
  for (std::size_t i = 3 * pixel; i < 3 * pixel + 3; ++i)
    largest = std::max(largest, std::abs(one.rgb[i] - other.rgb[i]));
  return largest;
}

TEST(ScenePictures, AreTheSameForTheSameScene) {
  std::vector<Picture> once;
  world::BackdropStore store, small(1), other;
  for (std::uint64_t number = 0; number < 30; ++number)
    once.push_back(draw(world::make_scene(artwork(), 3, number), store));
  // From a store that keeps next to nothing, and by several threads from one.
  for (std::uint64_t number = 0; number < 30; ++number)
    EXPECT_EQ(draw(world::make_scene(artwork(), 3, number), small).rgb, once[number].rgb);
  std::vector<std::thread> threads;
  for (std::uint64_t begin = 0; begin < 3; ++begin)
    threads.emplace_back([&, begin] {
      for (std::uint64_t number = begin; number < 30; ++number)
        EXPECT_EQ(draw(world::make_scene(artwork(), 3, number), other).rgb, once[number].rgb);
    });
  for (std::thread& thread : threads) thread.join();
}

// Away from things, their shadows and the pole a picture is its backdrop; in a mask it is something else.
TEST(ScenePictures, ThingsAreWhereTheLabelsSay) {
  world::BackdropStore store;
  std::size_t inside = 0, changed = 0;
  for (const int side : {112, 448})
    for (std::uint64_t number = 0; number < 80; ++number) {
      Scene scene = world::make_scene(artwork(), 21, number, {.side = side});
      for (world::Figure& figure : scene.figures) figure.foot = 0;  // no shadows
      const Picture with = draw(scene, store);
      Scene bare = scene;
      bare.figures.clear(), bare.order.clear();
      const Picture without = draw(bare, store);
      ASSERT_EQ(with.width, side);
      std::vector<std::uint8_t> touched(static_cast<std::size_t>(side) * side);
      for (const world::Figure& figure : scene.figures) {
        const world::Layer& layer = figure.layer;
        for (int y = 0; y < layer.height; ++y)
          for (int x = 0; x < layer.width; ++x)
            if (layer.pixels[static_cast<std::size_t>(y) * layer.width + x] != 0)
              touched[static_cast<std::size_t>(layer.y + y) * side + layer.x + x] = 1;
        const Mask& mask = figure.mask;
        for (int y = 0; y < mask.height; ++y)
          for (int x = 0; x < mask.width; ++x) {
            if (!mask.inside[static_cast<std::size_t>(y) * mask.width + x]) continue;
            ++inside;
            changed += largest_difference(with, without, static_cast<std::size_t>(mask.y + y) * side + mask.x + x) > 12;
          }
      }
      for (std::size_t pixel = 0; pixel < touched.size(); ++pixel)
        if (!touched[pixel]) {
          ASSERT_EQ(largest_difference(with, without, pixel), 0);
        }
    }
  // White on snow and green on grass are hardly different.
  EXPECT_GT(static_cast<double>(changed), 0.93 * static_cast<double>(inside));
}

// Where nothing shines through, what is in front is what is seen.
TEST(ScenePictures, WhatIsSeenOfAThingHasItsColours) {
  world::BackdropStore store;
  std::size_t solid = 0, hidden = 0;
  for (std::uint64_t number = 0; number < 150; ++number) {
    const Scene scene = world::make_scene(artwork(), 23, number);
    const Picture picture = draw(scene, store);
    for (const world::Figure& figure : scene.figures) {
      const world::Layer& layer = figure.layer;
      const Mask& mask = figure.mask;
      for (int y = 0; y < mask.height; ++y)
        for (int x = 0; x < mask.width; ++x) {
          const std::uint32_t from =
              layer.pixels[static_cast<std::size_t>(mask.y + y - layer.y) * layer.width + (mask.x + x - layer.x)];
          if (from >> 24 <= 127) continue;
          if (!mask.inside[static_cast<std::size_t>(y) * mask.width + x]) {
            ++hidden;
            continue;
          }
          if (from >> 24 < 255) continue;
          // The soft edge of something in front may lie over it still.
          const std::size_t pixel = static_cast<std::size_t>(mask.y + y) * 112 + mask.x + x;
          bool alone = true;
          for (const world::Figure& other : scene.figures) {
            const int at_x = mask.x + x - other.layer.x, at_y = mask.y + y - other.layer.y;
            const bool in = at_x >= 0 && at_y >= 0 && at_x < other.layer.width && at_y < other.layer.height;
            const std::uint32_t over =
                in ? other.layer.pixels[static_cast<std::size_t>(at_y) * other.layer.width + at_x] : 0;
            alone &= &other == &figure || over >> 24 == 0 || over >> 24 > 127;
          }
          if (!alone) continue;
          ++solid;
          for (std::size_t i = 0; i < 3; ++i) ASSERT_EQ(picture.rgb[3 * pixel + i], from >> 8 * i & 255);
        }
    }
  }
  EXPECT_GT(solid, 50'000u);
  EXPECT_GT(hidden, 50u);
}

TEST(ScenePictures, ABackdropIsMirrored) {
  world::BackdropStore store;
  Scene scene = world::make_scene(artwork(), 3, 1);
  scene.figures.clear(), scene.order.clear();
  scene.mirrored = false;
  const Picture plain = draw(scene, store);
  scene.mirrored = true;
  const Picture mirrored = draw(scene, store);
  for (std::size_t y = 0; y < 112; ++y)
    for (std::size_t x = 0; x < 112; ++x)
      for (std::size_t i = 0; i < 3; ++i)
        ASSERT_EQ(mirrored.rgb[3 * (y * 112 + x) + i], plain.rgb[3 * (y * 112 + 111 - x) + i]);
  EXPECT_NE(mirrored.rgb, plain.rgb);
}

TEST(ScenePictures, ShadowsDarkenTheGroundOnly) {
  world::BackdropStore store;
  for (std::uint64_t number = 0; number < 40; ++number) {
    Scene scene = world::make_scene(artwork(), 22, number);
    if (!scene.board.text.empty()) continue;
    const Picture with = draw(scene, store);
    for (world::Figure& figure : scene.figures) figure.foot = 0;
    const Picture without = draw(scene, store);
    for (std::size_t i = 0; i < with.rgb.size(); ++i) ASSERT_LE(with.rgb[i], without.rgb[i]);
  }
}

TEST(Backdrops, DifferByPlaceAndKey) {
  std::vector<Picture> pictures;
  for (int place = 0; place < 8; ++place)
    for (const std::uint64_t key : {1, 2}) {
      pictures.push_back(world::paint_backdrop({place, key}, 112));
      // Every pixel is painted: none is left as the surface began, black.
      const Picture& picture = pictures.back();
      ASSERT_EQ(picture.rgb.size(), 3u * 112 * 112);
      std::size_t black = 0;
      for (std::size_t i = 0; i < picture.rgb.size(); i += 3)
        black += picture.rgb[i] + picture.rgb[i + 1] + picture.rgb[i + 2] == 0;
      EXPECT_EQ(black, 0u) << world::places()[static_cast<std::size_t>(place)].name;
    }
  for (std::size_t i = 0; i < pictures.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(pictures[i].rgb, pictures[j].rgb);
}

// Drawn at the size that is asked for: reduced, a large one is the small one but for its edges.
TEST(Backdrops, AreTheSamePlaceAtAnySize) {
  for (int place = 0; place < 8; ++place) {
    const Picture small = world::paint_backdrop({place, 5}, 112), large = world::paint_backdrop({place, 5}, 448);
    double difference = 0;
    for (int y = 0; y < 112; ++y)
      for (int x = 0; x < 112; ++x)
        for (int i = 0; i < 3; ++i) {
          double sum = 0;
          for (int dy = 0; dy < 4; ++dy)
            for (int dx = 0; dx < 4; ++dx)
              sum += large.rgb[3 * ((4 * static_cast<std::size_t>(y) + dy) * 448 + 4 * x + dx) + i];
          difference += std::abs(sum / 16 - small.rgb[3 * (static_cast<std::size_t>(y) * 112 + x) + i]);
        }
    EXPECT_LT(difference / (112 * 112 * 3), 1.5) << world::places()[static_cast<std::size_t>(place)].name;
  }
}

}  // namespace
}  // namespace paligemma::test
