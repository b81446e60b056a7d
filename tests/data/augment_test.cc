#include "data/augment.h"

#include <algorithm>
#include <numeric>

#include "support/errors.h"

namespace paligemma::test {
namespace {

const std::vector<std::string> kSides = {"left hand", "right hand", "left shoe"};

// An ellipse in each of the boxes is of a colour of its own, and is the object's mask. Boxes do not overlap.
DecodedSample scene(const std::vector<std::array<double, 4>>& boxes, int width = 60, int height = 40) {
  DecodedSample sample{.picture = {.width = width, .height = height}, .task = SampleTask::segment};
  sample.picture.rgb.assign(std::size_t{3} * width * height, 0);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const auto& [x1, y1, x2, y2] = boxes[i];
    Mask mask{.x = int(x1), .y = int(y1), .width = int(x2 - x1), .height = int(y2 - y1)};
    for (int y = 0; y < mask.height; ++y)
      for (int x = 0; x < mask.width; ++x) {
        const double dx = (x + 0.5) / mask.width * 2 - 1, dy = (y + 0.5) / mask.height * 2 - 1;
        const bool inside = dx * dx + dy * dy <= 1;
        mask.inside.push_back(inside);
        if (inside) sample.picture.rgb[3 * (std::size_t(mask.y + y) * width + mask.x + x)] = std::uint8_t(i + 1);
      }
    sample.objects.push_back({.label = std::to_string(i + 1), .box = boxes[i], .mask = mask});
  }
  return sample;
}

// The pixels of each object that is left are those of its colour.
void expect_masks_cover_their_colours(const DecodedSample& sample) {
  const Picture& picture = sample.picture;
  ASSERT_EQ(picture.rgb.size(), std::size_t{3} * picture.width * picture.height);
  for (const DecodedObject& object : sample.objects) {
    const Mask& mask = *object.mask;
    ASSERT_EQ(mask.inside.size(), std::size_t(mask.width) * mask.height);
    const int colour = std::stoi(object.label);
    for (int y = 0; y < picture.height; ++y)
      for (int x = 0; x < picture.width; ++x) {
        const bool in_box = x >= mask.x && y >= mask.y && x < mask.x + mask.width && y < mask.y + mask.height;
        const bool inside = in_box && mask.inside[std::size_t(y - mask.y) * mask.width + (x - mask.x)] != 0;
        ASSERT_EQ(inside, picture.rgb[3 * (std::size_t(y) * picture.width + x)] == colour) << x << ' ' << y;
      }
    ASSERT_TRUE(object.box[0] >= 0 && object.box[1] >= 0 && object.box[0] < object.box[2] &&
                object.box[1] < object.box[3] && object.box[2] <= picture.width && object.box[3] <= picture.height);
    EXPECT_LE(std::abs(object.box[0] - mask.x), 0.5);
    EXPECT_LE(std::abs(object.box[3] - (mask.y + mask.height)), 0.5);
  }
}

TEST(Augment, ReadsAList) {
  const AugmentOptions options = parse_augment("flip,crop,zoom-out,color,blur,jpeg");
  EXPECT_TRUE(options.flip && options.crop && options.zoom_out && options.color && options.blur && options.jpeg);
  EXPECT_FALSE(parse_augment("").any());
  EXPECT_FALSE(parse_augment("none").any());
  EXPECT_TRUE(parse_augment("jpeg").any());
  EXPECT_FALSE(parse_augment("jpeg").moves());
  expect_error(ErrorKind::usage, "bad_value",
               "expected names of crop, zoom-out, flip, color, blur and jpeg, got \"mirror\"",
               [] { parse_augment("flip,mirror"); });
  expect_error(ErrorKind::usage, "bad_value", "got \"\"", [] { parse_augment(",flip"); });
}

TEST(Augment, MovesBoxesAndMasksWithThePicture) {
  int crops = 0, zooms = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    DecodedSample sample = scene({{4, 5, 20, 19}, {30, 2, 58, 30}, {10, 24, 18, 38}});
    Dice dice(seed);
    move_sample(sample, {}, parse_augment("flip,crop,zoom-out"), dice);
    crops += sample.picture.width < 60, zooms += sample.picture.width > 60;
    ASSERT_FALSE(sample.objects.empty());
    expect_masks_cover_their_colours(sample);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(crops, 60);
  EXPECT_GT(zooms, 60);
}

TEST(Augment, FlipsHalfOfTheTime) {
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    DecodedSample sample = scene({{0, 0, 10, 10}});
    Dice dice(seed);
    move_sample(sample, {}, {.flip = true}, dice);
    flipped += sample.objects[0].box[0] == 50;
  }
  EXPECT_NEAR(flipped, 500, 64);  // four deviations
}

TEST(Augment, CropKeepsAnObjectWhole) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    DecodedSample sample = scene({{4, 5, 20, 19}, {30, 2, 58, 30}});
    Dice dice(seed);
    move_sample(sample, {}, {.crop = true}, dice);
    const int width = sample.picture.width, height = sample.picture.height;
    if (width == 60 && height == 40) continue;
    EXPECT_TRUE(std::ranges::any_of(sample.objects, [](const DecodedObject& object) {
      const double box_width = object.box[2] - object.box[0], box_height = object.box[3] - object.box[1];
      return (box_width == 16 && box_height == 14) || (box_width == 28 && box_height == 28);
    }));
    EXPECT_GE(width * height, 0.1 * 60 * 40 * 0.9);  // sides are rounded to pixels
    const double aspect = static_cast<double>(width) / height;
    EXPECT_TRUE(aspect > 0.70 && aspect < 1.42) << aspect;
  }
}

TEST(Augment, ZoomOutPutsThePictureOnGray) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    DecodedSample sample = scene({{0, 0, 60, 40}});
    Dice dice(seed);
    move_sample(sample, {}, {.zoom_out = true}, dice);
    const Picture& picture = sample.picture;
    EXPECT_LE(picture.width, 90);
    EXPECT_LE(picture.height, 60);
    const auto gray = std::ranges::count(picture.rgb, 128);
    EXPECT_EQ(gray, 3 * (picture.width * picture.height - 60 * 40));
  }
}

TEST(Augment, WhatIsHardlySeenIsDropped) {
  DecodedSample sample = scene({{10, 10, 20, 20}, {30, 10, 40, 20}});
  cut_window(sample, {.x = 18, .y = 0, .width = 40, .height = 40});
  ASSERT_EQ(sample.objects.size(), 2u);  // a fifth of the first one
  EXPECT_EQ(sample.objects[0].box, (std::array<double, 4>{0, 10, 2, 20}));
  sample = scene({{10, 10, 20, 20}, {30, 10, 40, 20}});
  cut_window(sample, {.x = 19, .y = 0, .width = 40, .height = 40});
  ASSERT_EQ(sample.objects.size(), 1u);
  EXPECT_EQ(sample.objects[0].box, (std::array<double, 4>{11, 10, 21, 20}));
  // A box that is seen whose mask is not.
  sample = scene({{10, 10, 20, 20}});
  std::ranges::fill(sample.objects[0].mask->inside, 0);
  sample.objects[0].mask->inside[0] = 1;
  cut_window(sample, {.x = 12, .y = 0, .width = 40, .height = 40});
  EXPECT_TRUE(sample.objects.empty());
}

TEST(Augment, FlippedTwiceIsTheSame) {
  const DecodedSample before = scene({{4, 5, 20, 19}, {31, 2, 58, 30}}, 61, 40);
  DecodedSample sample = before;
  flip_sample(sample);
  EXPECT_EQ(sample.objects[0].box, (std::array<double, 4>{41, 5, 57, 19}));
  expect_masks_cover_their_colours(sample);
  flip_sample(sample);
  EXPECT_EQ(sample.picture.rgb, before.picture.rgb);
  EXPECT_EQ(sample.objects[1].mask->inside, before.objects[1].mask->inside);
}

TEST(Augment, FlipsWordsOfSides) {
  EXPECT_EQ(flip_words("the Left cow, LEFT of the right one's left-hand side."),
            "the Right cow, RIGHT of the left one's right-hand side.");
  EXPECT_EQ(flip_words("leftmost Rightward bright leftover aleft"), "rightmost Leftward bright leftover aleft");
  EXPECT_EQ(flip_words("left"), "right");
  EXPECT_EQ(flip_words(""), "");
  EXPECT_EQ(flip_words("élevé left\n"), "élevé right\n");
}

TEST(Augment, FlipsClassesOnlyToClassesOfTheData) {
  const auto flipped_label = [](const std::string& label) {
    std::vector<std::string> labels;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      DecodedSample sample = scene({{0, 0, 10, 10}});
      sample.objects[0].label = label;
      Dice dice(seed);
      move_sample(sample, kSides, {.flip = true}, dice);
      if (sample.objects[0].box[0] == 50) labels.push_back(sample.objects[0].label);
    }
    return labels.empty() ? "never" : labels.front();
  };
  EXPECT_EQ(flipped_label("left hand"), "right hand");
  EXPECT_EQ(flipped_label("left shoe"), "never");
  EXPECT_EQ(flipped_label("cow"), "cow");
}

TEST(Augment, LeavesWhatItWouldMakeWrong) {
  const AugmentOptions all = parse_augment("flip,crop,zoom-out");
  const auto moved = [&](const DecodedSample& before) {
    int sizes = 0, flips = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      DecodedSample sample = before;
      Dice dice(seed);
      move_sample(sample, {}, all, dice);
      sizes |= sample.picture.width < 60 ? 1 : sample.picture.width > 60 ? 2 : 0;
      flips |= sample.picture.rgb != before.picture.rgb && sample.picture.width == 60;
    }
    return std::array{sizes, flips};
  };
  DecodedSample text = scene({{0, 0, 10, 10}});
  text.task = SampleTask::text;
  text.answers = {"<loc0001><loc0002><loc0003><loc0004>cow"};
  EXPECT_EQ(moved(text), (std::array{0, 0}));
  text.answers = {"a cow"};
  EXPECT_EQ(moved(text), (std::array{2, 1}));
  text.prefix = "ocr";
  EXPECT_EQ(moved(text), (std::array{2, 0}));
  DecodedSample codes = scene({{0, 0, 10, 10}});
  codes.objects[0].mask.reset();
  codes.objects[0].seg = std::array<int, 16>{};
  EXPECT_EQ(moved(codes), (std::array{2, 0}));
}

double mean_of(const Picture& picture) {
  return std::accumulate(picture.rgb.begin(), picture.rgb.end(), 0.0) / static_cast<double>(picture.rgb.size());
}

// Somewhere between 60 and 200, so that nothing is cut off.
Picture colourful() {
  Picture picture{.width = 32, .height = 24};
  for (int i = 0; i < 32 * 24 * 3; ++i) picture.rgb.push_back(static_cast<std::uint8_t>(100 + (i * 37) % 60));
  return picture;
}

TEST(Augment, ColorsStayNearTheirs) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Picture picture = colourful();
    Dice dice(seed);
    tint_picture(picture, {.color = true}, dice);
    EXPECT_GT(mean_of(picture), 0.79 * mean_of(colourful()));
    EXPECT_LT(mean_of(picture), 1.21 * mean_of(colourful()));
    EXPECT_NE(picture.rgb, colourful().rgb);
  }
}

TEST(Augment, BlurTakesContrastAndNoLight) {
  int blurred = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Picture picture{.width = 41, .height = 31};
    picture.rgb.assign(std::size_t{3} * 41 * 31, 0);
    for (int y = 10; y < 20; ++y) std::fill_n(&picture.rgb[3 * (std::size_t(y) * 41 + 15)], 30, 200);
    const Picture before = picture;
    Dice dice(seed);
    tint_picture(picture, {.blur = true}, dice);
    if (picture.rgb == before.rgb) continue;
    ++blurred;
    EXPECT_NEAR(mean_of(picture), mean_of(before), 0.5);
    EXPECT_LE(std::ranges::max(picture.rgb), 200);
    EXPECT_GT(picture.rgb[3 * (9 * 41 + 20)], 0);
  }
  EXPECT_NEAR(blurred, 40, 23);  // four deviations
}

TEST(Augment, JpegLeavesWhatIsSeen) {
  int written = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Picture picture = colourful();
    Dice dice(seed);
    tint_picture(picture, {.jpeg = true}, dice);
    ASSERT_EQ(picture.rgb.size(), colourful().rgb.size());
    EXPECT_NEAR(mean_of(picture), mean_of(colourful()), 3);
    written += picture.rgb != colourful().rgb;
  }
  EXPECT_NEAR(written, 30, 19);
}

TEST(Augment, WithoutNamesChangesNothing) {
  DecodedSample sample = scene({{0, 0, 10, 10}});
  Dice dice(1);
  move_sample(sample, {}, {}, dice);
  tint_picture(sample.picture, {}, dice);
  EXPECT_EQ(sample.picture.rgb, scene({{0, 0, 10, 10}}).picture.rgb);
}

}  // namespace
}  // namespace paligemma::test
