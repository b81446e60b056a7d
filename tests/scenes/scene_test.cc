// Scenes: what follows from a seed and a number, and labels that fit the pixels.
#include "scenes/scene.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "support/errors.h"
#include "test_scenes.h"

namespace paligemma::test {
namespace {

using world::Figure;
using world::Scene;

bool is_sign(const Figure& figure) { return figure.thing == static_cast<int>(world::sign_place()); }

// All of a scene as text, its pixels too.
std::string description_of(const Scene& scene) {
  std::string text = join(scene.side, " ", scene.backdrop.place, " ", scene.backdrop.key, " ", scene.mirrored, " ",
                          scene.light, " ", scene.board.text, " ", scene.board.face);
  for (const int place : scene.order) text += join(" ", place);
  for (const Figure& figure : scene.figures) {
    text += join("\n", figure.thing, " ", figure.colour, " ", figure.degrees, " ", figure.flipped, " ", figure.light);
    for (const int side : figure.box) text += join(" ", side);
    text.append(figure.mask.inside.begin(), figure.mask.inside.end());
    text.append(reinterpret_cast<const char*>(figure.layer.pixels.data()), 4 * figure.layer.pixels.size());
  }
  return text;
}

TEST(Scenes, FollowFromSeedAndNumberAlone) {
  std::vector<std::string> once, again(60);
  for (std::uint64_t number = 0; number < 60; ++number)
    once.push_back(description_of(world::make_scene(artwork(), 3, number)));
  std::vector<std::thread> threads;
  for (std::size_t begin = 0; begin < 3; ++begin)
    threads.emplace_back([&, begin] {
      for (std::size_t number = begin; number < again.size(); number += 3)
        again[number] = description_of(world::make_scene(artwork(), 3, number));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(once, again);
  EXPECT_EQ(std::set<std::string>(once.begin(), once.end()).size(), once.size());
}

TEST(Scenes, NoTwoSeedsShareOne) {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;  // of the generator: seeds so far apart overlap without care
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> met;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, kStep, 2 * kStep, ~std::uint64_t{0}, 1 + kStep})
    for (std::uint64_t number = 0; number < 150; ++number) {
      Scene scene = world::make_scene(artwork(), seed, number);
      scene.backdrop.key = 0;  // which differs in any case
      const auto [at, is_new] = met.emplace(description_of(scene), std::pair(seed, number));
      // Scenes with nothing in them have nothing else to differ in.
      EXPECT_TRUE(is_new || scene.figures.empty())
          << seed << "/" << number << " is " << at->second.first << "/" << at->second.second;
    }
}

TEST(Scenes, ABoxEnclosesExactlyWhatIsSeen) {
  for (const int side : {112, 224, 333, 896})
    for (std::uint64_t number = 0; number < 60; ++number) {
      const Scene scene = world::make_scene(artwork(), 11, number, {.side = side});
      std::vector<int> owner(static_cast<std::size_t>(side) * side, -1);
      for (const int place : scene.order) {
        const world::Layer& layer = scene.figures[static_cast<std::size_t>(place)].layer;
        for (int y = 0; y < layer.height; ++y)
          for (int x = 0; x < layer.width; ++x)
            if (layer.pixels[static_cast<std::size_t>(y) * layer.width + x] >> 24 > 127)
              owner[static_cast<std::size_t>(layer.y + y) * side + layer.x + x] = place;
      }
      for (std::size_t i = 0; i < scene.figures.size(); ++i) {
        const Figure& figure = scene.figures[i];
        int left = side, top = side, right = 0, bottom = 0;
        for (int y = 0; y < side; ++y)
          for (int x = 0; x < side; ++x) {
            const bool seen = owner[static_cast<std::size_t>(y) * side + x] == static_cast<int>(i);
            if (seen)
              left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1),
              bottom = std::max(bottom, y + 1);
            const Mask& mask = figure.mask;
            const bool in_box = x >= mask.x && y >= mask.y && x < mask.x + mask.width && y < mask.y + mask.height;
            const bool in_mask = in_box && mask.inside[static_cast<std::size_t>(y - mask.y) * mask.width + x - mask.x];
            ASSERT_EQ(in_mask, seen) << number << " " << x << " " << y;
          }
        EXPECT_THAT(figure.box, testing::ElementsAre(left, top, right, bottom));
        EXPECT_EQ(figure.mask.x, left);
        EXPECT_EQ(figure.mask.width, right - left);
        EXPECT_EQ(figure.mask.height, bottom - top);
      }
    }
}

// The mean of a mask's pixels in shares of the picture's side.
std::array<double, 2> middle_of(const Mask& mask, int side) {
  double x_sum = 0, y_sum = 0, count = 0;
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      if (mask.inside[static_cast<std::size_t>(y) * mask.width + x])
        x_sum += mask.x + x + 0.5, y_sum += mask.y + y + 0.5, ++count;
  return {x_sum / count / side, y_sum / count / side};
}

TEST(Scenes, AreLaidOutAlikeAtAnySide) {
  std::size_t figures = 0;
  for (std::uint64_t number = 0; number < 100; ++number) {
    const Scene small = world::make_scene(artwork(), 4, number),
                large = world::make_scene(artwork(), 4, number, {.side = 448});
    ASSERT_EQ(small.figures.size(), large.figures.size());
    EXPECT_EQ(small.board.text, large.board.text);
    std::multiset<int> things, others;
    for (const Figure& figure : small.figures) things.insert(figure.thing);
    for (const Figure& figure : large.figures) others.insert(figure.thing);
    EXPECT_EQ(things, others);
    for (const Figure& figure : small.figures)
      for (const Figure& other : large.figures)
        if (figure.thing == other.thing && figure.x == other.x) {
          ++figures;
          const auto one = middle_of(figure.mask, 112), another = middle_of(other.mask, 448);
          // Small pixels show thin ends that large ones do not.
          for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(one[i], another[i], 0.75 / 112) << number;
        }
  }
  EXPECT_GT(figures, 200u);
}

TEST(Scenes, StandLeftToRightOnTheGroundAndApart) {
  std::map<int, int> counts, places;
  int signs = 0, repeated = 0;
  constexpr int kScenes = 600;
  for (std::uint64_t number = 0; number < kScenes; ++number) {
    const Scene scene = world::make_scene(artwork(), 9, number);
    ++places[scene.backdrop.place];
    const auto own = static_cast<int>(std::ranges::count_if(scene.figures, is_sign));
    EXPECT_LE(own, 1);
    EXPECT_EQ(own == 1, !scene.board.text.empty());
    signs += own;
    ++counts[static_cast<int>(scene.figures.size()) - own];
    std::set<int> kinds;
    for (std::size_t i = 0; i < scene.figures.size(); ++i) {
      const Figure& figure = scene.figures[i];
      kinds.insert(figure.thing);
      if (i > 0) {
        EXPECT_LE(scene.figures[i - 1].box[0] + scene.figures[i - 1].box[2], figure.box[0] + figure.box[2]);
      }
      if (!is_sign(figure) && world::things()[static_cast<std::size_t>(figure.thing)].stand == world::Stand::ground) {
        EXPECT_GT(figure.box[3] + 2, horizon_of(scene.backdrop) * scene.side) << number;
      }
      for (const Figure& other : scene.figures)
        if (other.thing == figure.thing) {
          EXPECT_EQ(other.colour, figure.colour);
        }
    }
    repeated += kinds.size() < scene.figures.size();
  }
  EXPECT_EQ(places.size(), 8u);
  EXPECT_GT(signs, kScenes * 45 / 100);
  EXPECT_LT(signs, kScenes * 65 / 100);
  for (int count = 0; count <= 4; ++count) EXPECT_GT(counts[count], 0) << count;
  EXPECT_LE(counts.rbegin()->first, 4);
  EXPECT_GT(repeated, kScenes / 5);
}

TEST(Scenes, ThingsGrowWithTheScale) {
  double usual = 0, small = 0, large = 0;
  const auto height_of = [](const Scene& scene) {
    double sum = 0;
    for (const Figure& figure : scene.figures) sum += figure.box[3] - figure.box[1];
    return scene.figures.empty() ? 0 : sum / static_cast<double>(scene.figures.size());
  };
  for (std::uint64_t number = 0; number < 60; ++number) {
    usual += height_of(world::make_scene(artwork(), 2, number, {.side = 448}));
    small += height_of(world::make_scene(artwork(), 2, number, {.side = 448, .scale = 0.25}));
    large += height_of(world::make_scene(artwork(), 2, number, {.side = 448, .scale = 2}));
  }
  EXPECT_NEAR(small / usual, 0.25, 0.05);
  EXPECT_GT(large / usual, 1.4);
}

TEST(Scenes, RefuseWhatCannotBeDrawn) {
  for (const int side : {0, 111, 897, -5})
    expect_error(ErrorKind::usage, "bad_value", "expected 112 to 896 pixels",
                 [&] { world::make_scene(artwork(), 0, 0, {.side = side}); });
  for (const double scale : {0.0, 0.2, 4.5, -1.0, std::nan("")})
    expect_error(ErrorKind::usage, "bad_value", "expected 0.25 to 4",
                 [&] { world::make_scene(artwork(), 0, 0, {.scale = scale}); });
}

}  // namespace
}  // namespace paligemma::test
