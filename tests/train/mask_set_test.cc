#include "train/mask_set.h"

#include <gmock/gmock.h>

#include <numbers>

#include "detect/mask.h"
#include "detect/mask_codec.h"
#include "image/encode.h"
#include "shapes.h"
#include "support/errors.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kMap = MaskCodec::kSide;

Mask disk(int side) {
  Mask mask{.x = 5, .y = 9, .width = side, .height = side};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      mask.inside.push_back(std::hypot(x + 0.5 - side / 2.0, y + 0.5 - side / 2.0) < side / 2.0);
  return mask;
}

// x1, y1, x2 and y2 are shares of the side.
Mask box_in(int side, std::array<double, 4> box) {
  Mask mask{.width = side, .height = side};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      mask.inside.push_back(x >= box[0] * side && x < box[2] * side && y >= box[1] * side && y < box[3] * side);
  return mask;
}

double mean_difference(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::fabs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

double mean(std::span<const float> a) { return mean_difference(a, std::vector<float>(a.size())); }

TEST(MaskShape, UnchangedIsAsItIsCropped) {
  for (const int side : {20, 64, 96, 250})
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
      Mask mask = side == 20 ? disk(20) : drawn_mask(seed);
      if (side == 250) mask = disk(250);
      const std::vector<float> expected = crop_mask(mask, tight_box(mask));
      EXPECT_LT(mean_difference(MaskShape(mask).map({}), expected), 0.012) << side << " " << seed;
    }
}

// A box that leaves room around the mask, one that cuts it, and one whose edges lie between pixels.
TEST(MaskShape, IsCroppedToItsObjectsBox) {
  const Mask mask = drawn_mask(3);
  const auto [x1, y1, x2, y2] = tight_box(mask);
  const double width = x2 - x1, height = y2 - y1;
  const std::array<double, 4> boxes[] = {{x1 - 6, y1, x2 + 3, y2 + 8},
                                         {x1 + width / 4, y1 - 2, x2 - width / 8, y1 + height / 2},
                                         {x1 + 0.7, y1 - 0.4, x2 + 0.6, y2 - 1.2}};
  for (std::array<double, 4> box : boxes) {
    for (double& edge : box) edge = std::max(edge, 0.0);
    EXPECT_LT(mean_difference(MaskShape(mask, box).map({}), crop_mask(mask, box)), 0.012) << box[0];
  }
  EXPECT_NE(MaskShape(mask, boxes[0]).fingerprint(), MaskShape(mask).fingerprint());
  MaskSet masks(1, 0);
  masks.add(mask, {x1 - 8, y1, x1 - 4, y2});
  EXPECT_EQ(masks.empty(), 1);
  masks.add(mask, {x1, y1, x1 + width / 2, y2});
  EXPECT_LT(mean_difference(masks.held_out_maps(), crop_mask(mask, {x1, y1, x1 + width / 2, y2})), 0.003);
}

TEST(MaskShape, AMirroredMapIsTheMirroredMasksMap) {
  const Mask mask = drawn_mask(7);
  Mask mirrored = mask;
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      mirrored.inside[std::size_t(y * mask.width + x)] = mask.inside[std::size_t(y * mask.width + mask.width - 1 - x)];
  EXPECT_LT(mean_difference(MaskShape(mask).map({.mirror = true}), MaskShape(mirrored).map({})), 1e-6);
}

// A square that stands on its corner covers half of its box; one that is stretched is the same square in its box.
TEST(MaskShape, IsTurnedAndStretchedInItsOwnSides) {
  const MaskShape square(box_in(80, {0.1, 0.1, 0.9, 0.9})), flat(box_in(80, {0.1, 0.4, 0.9, 0.6}));
  EXPECT_NEAR(mean(square.map({.turn = std::numbers::pi / 4})), 0.5, 0.01);
  EXPECT_NEAR(mean(square.map({.stretch = 0.7})), 1, 0.01);
  // Of 4 to 1, turned by 45 degrees: 4 of (5 / sqrt 2)^2.
  EXPECT_NEAR(mean(flat.map({.turn = std::numbers::pi / 4})), 4 / 12.5, 0.01);
  EXPECT_NEAR(mean(square.map({.shear = 0.5})), 1 / 1.5, 0.01);
}

TEST(MaskShape, WhatIsCutOffIsOutsideOfTheBox) {
  // A disk's upper half fills pi / 4 of its box too.
  const std::vector<float> map = MaskShape(disk(90)).map({.cut = {0, 0, 0, 0.5}});
  EXPECT_NEAR(mean(map), std::numbers::pi / 4, 0.01);
  EXPECT_GT(mean(std::span(map).last(kMap)), 0.95);
  EXPECT_LT(mean(std::span(map).first(kMap)), 0.3);
  // Twice as wide as the disk: a quarter is empty on each side.
  EXPECT_NEAR(mean(MaskShape(disk(90)).map({.loose = {0.5, 0, 0.5, 0}})), std::numbers::pi / 8, 0.01);
  // Everything is cut off: nothing is.
  EXPECT_NEAR(mean(MaskShape(disk(90)).map({.cut = {0.6, 0, 0.6, 0}})), std::numbers::pi / 4, 0.01);
}

TEST(MaskShape, IsRecutAsASmallerPictureHasIt) {
  const MaskShape large(disk(96));
  for (const int side : {12, 25, 60})
    EXPECT_LT(mean_difference(large.map({.pixels = double(side)}), crop_mask(disk(side), tight_box(disk(side)))), 0.02)
        << side;
  // Of 144 pixels 44 lie on the edge: half of each at most is another.
  const std::vector<float> one = large.map({.pixels = 12}), other = large.map({.pixels = 12, .phase = {0.4, 0.6}});
  EXPECT_GT(mean_difference(one, other), 0.02);
  EXPECT_LT(mean_difference(one, other), 22.0 / 144);
  // Twice as wide as the disk, in a box that is measured in whole pixels.
  EXPECT_NEAR(mean(large.map({.loose = {0.5, 0, 0.5, 0}, .pixels = 30})), std::numbers::pi / 8, 0.03);
  // Less than half a pixel high, so that nothing would be left: as it is.
  const MaskShape line(box_in(96, {0, 0.5, 1, 0.51}));
  EXPECT_EQ(line.map({.pixels = 20}), line.map({}));
}

TEST(MaskShape, SomeAreRecut) {
  int recut = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const ShapeChange change = random_recut(seed);
    EXPECT_FALSE(change.mirror);
    EXPECT_EQ(change.turn, 0);
    recut += change.pixels > 0;
    EXPECT_TRUE(change.pixels == 0 || (change.pixels >= 22 && change.pixels < 99)) << change.pixels;
  }
  EXPECT_NEAR(recut, 600, 60);
}

TEST(MaskShape, AnythingThatIsInsideMakesAMap) {
  Mask dots{.width = 3000, .height = 2, .inside = std::vector<std::uint8_t>(6000)};
  dots.inside[0] = dots.inside[5999] = 1;  // 1 of 31 when it is made smaller
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    for (const ShapeChange& change : {random_change(seed), random_recut(seed)})
      for (const float value : MaskShape(dots).map(change)) ASSERT_TRUE(value >= 0 && value <= 1.0001f);
  EXPECT_EQ(mean(MaskShape(box_in(1, {0, 0, 1, 1})).map({})), 1);
}

TEST(MaskSet, HoldsOutAPartAndCountsWhatIsEmpty) {
  MaskSet masks(0.25, 3), others(0.25, 4), none(0, 3);
  for (std::uint64_t i = 0; i < 100; ++i)
    for (MaskSet* set : {&masks, &others, &none}) {
      set->add(drawn_mask(i));
      if (i % 10 == 0) set->add(Mask{.width = 2, .height = 1, .inside = {0, 0}});
      if (i % 20 == 0) set->add(Mask{});
    }
  EXPECT_EQ(masks.held_out().size(), 25);
  EXPECT_EQ(masks.shapes().size(), 75);
  EXPECT_EQ(masks.empty(), 15);
  EXPECT_EQ(masks.fingerprint(), others.fingerprint());
  EXPECT_NE(masks.held_out_maps(), others.held_out_maps());
  EXPECT_EQ(none.held_out().size(), 0);
  others.add(drawn_mask(5));
  EXPECT_NE(masks.fingerprint(), others.fingerprint());
  const std::vector<float> maps = masks.held_out_maps();
  ASSERT_EQ(maps.size(), 25u * kMap * kMap);
  EXPECT_LT(mean_difference(std::span(maps).first(kMap * kMap), masks.held_out()[0].map({})), 0.012);
}

std::string png(const std::vector<std::uint8_t>& gray, int width, int height) {
  const std::vector<std::byte> bytes = encode_gray_png(gray, width, height);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(MaskFolder, InsideIsWhatIsBrightOrInADarkPictureWhatIsNotBlack) {
  const Scratch scratch;
  scratch.write("b.PNG", png({0, 127, 128, 255}, 2, 2));
  scratch.write("a.png", png({0, 1, 2, 127}, 4, 1));
  scratch.write("c.png", png({0, 0}, 2, 1));
  scratch.write("d.png", "no picture");
  scratch.write("e.png", "");
  scratch.write("f.txt", "no mask");
  scratch.write("folder.png/x.png", "not looked at");
  std::vector<Mask> masks;
  const auto unreadable = read_mask_folder(scratch.folder(), [&](const Mask& mask) { masks.push_back(mask); });
  ASSERT_EQ(masks.size(), 3);
  EXPECT_THAT(masks[0].inside, ElementsAre(0, 1, 1, 1));
  EXPECT_EQ(masks[0].width, 4);
  EXPECT_THAT(masks[1].inside, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(masks[2].inside, ElementsAre(0, 0));
  ASSERT_EQ(unreadable.size(), 2);
  EXPECT_EQ(unreadable[0].path, scratch.path("d.png"));
  EXPECT_THAT(unreadable[0].reason, HasSubstr("d.png"));
  EXPECT_EQ(unreadable[1].path, scratch.path("e.png"));
}

TEST(MaskFolder, SaysWhatIsNoFolderOfMasks) {
  const Scratch scratch;
  scratch.write("a.jpg", "");
  const auto take = [](const Mask&) {};
  expect_error(ErrorKind::input, "no_masks", "expected PNG files, one mask each, got none",
               [&] { read_mask_folder(scratch.folder(), take); });
  expect_error(ErrorKind::input, "file_not_found", "expected a folder of PNG masks",
               [&] { read_mask_folder(scratch.path("none"), take); });
}

}  // namespace
}  // namespace paligemma::test
