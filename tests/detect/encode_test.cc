// Masks to codes, against big_vision's own encoder.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "detect/mask.h"
#include "detect/mask_codec.h"
#include "golden.h"
#include "support/errors.h"

namespace paligemma {
namespace {

struct EncodeCase {
  Mask mask;
  std::array<double, 4> box;   // x1 y1 x2 y2 in pixels
  std::array<double, 4> crop;  // the same, rounded by the reference
};

// `mask/i` is the whole picture. TensorFlow multiplies the box's fractions with the sides in f32.
EncodeCase encode_case(const std::string& file, const Json& expected, std::size_t i) {
  EncodeCase read;
  const std::string name = std::to_string(i);
  const auto shape = golden_shape(file, "mask/" + name);
  const int height = static_cast<int>(shape.at(0)), width = static_cast<int>(shape.at(1));
  read.mask = {.width = width, .height = height, .inside = golden_tensor<std::uint8_t>(file, "mask/" + name)};
  const auto box = golden_tensor<float>(file, "bbox/" + name);
  const auto sides = std::array{float(height), float(width), float(height), float(width)};
  const auto crop = expected.at(i).at("crop").get<std::array<double, 4>>();
  for (std::size_t k = 0; k < 4; ++k) {
    read.box[k ^ 1] = box.at(k) * sides[k];
    read.crop[k ^ 1] = crop[k];
  }
  return read;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double{a[i]} - b[i]));
  return largest;
}

// Eleven layers lie between a mask and its features, each a sum of up to 512 products (mask_codec_test.cc derives the
// same for the decoder); the goldens' features reach 5.4 and their smallest margin, a difference of squared distances,
// is 0.0064: far above what 1e-5 in a feature can move.
constexpr double kEncodeTolerance = 1e-5;

void expect_golden_codes(const std::string& codec_file, std::size_t cases, std::size_t with_resized,
                         std::size_t with_features) {
  const MaskCodec codec = read_codec(golden_file(codec_file), codec_file);
  const std::string stem = codec_file.substr(0, codec_file.find('.')) + "_encode", file = stem + ".safetensors";
  const Json expected = golden_json(stem + ".json");
  ASSERT_EQ(expected.size(), cases);
  double least_margin = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE(testing::Message() << file << ", case " << i);
    const std::string name = std::to_string(i);
    const EncodeCase example = encode_case(file, expected, i);
    const auto coverage = crop_mask(example.mask, example.box);
    EXPECT_EQ(coverage, crop_mask(example.mask, example.crop));
    if (i < with_resized) {
      const auto resized = golden_tensor<float>(file, "resized/" + name);
      EXPECT_LE(largest_difference(coverage, resized), kEncodeTolerance);
    }
    if (i < with_features) {
      const auto features = golden_tensor<float>(file, "features/" + name);
      EXPECT_LE(largest_difference(codec.features(coverage), features), kEncodeTolerance);
    }
    EXPECT_THAT(codec.encode(example.mask, example.box),
                testing::ElementsAreArray(golden_tensor<std::int32_t>(file, "codes/" + name)));
    EXPECT_EQ(codec.encode(example.mask, example.box), codec.encode(coverage));
    const auto margins = golden_tensor<float>(file, "margin/" + name);
    least_margin = std::min<double>(least_margin, *std::min_element(margins.begin(), margins.end()));
  }
  EXPECT_GT(least_margin, 0.005);
}

TEST(Encode, GoldenCodes) { expect_golden_codes("codec/vae.npz", 40, 10, 2); }
// Kernels of 3 by 3 with stride 2 too, which are padded behind only.
TEST(Encode, GoldenCodesOfASmallCodec) { expect_golden_codes("codec/vae_small.npz", 12, 10, 2); }

// Random f16 numbers, widths that all differ, kernels of 5, 2, 3 and 1 with stride 2 and of 4 with stride 1; the
// features by numpy in double precision from TensorFlow's rule of SAME. The smallest margin is 0.034.
TEST(Encode, AnyKernelAsTensorFlowPadsIt) {
  const std::string path = "codec/tiny_both.safetensors", expected = "codec/tiny_both_encode.safetensors";
  const MaskCodec codec = read_codec(golden_file(path), path);
  const auto coverages = golden_tensor<float>(expected, "coverages"), all = golden_tensor<float>(expected, "features");
  const auto codes = golden_tensor<std::int32_t>(expected, "codes");
  ASSERT_EQ(codes.size(), 3 * 16);
  const std::size_t size = 16 * static_cast<std::size_t>(codec.network().width);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto coverage = std::span(coverages).subspan(i * 64 * 64, 64 * 64);
    EXPECT_LE(largest_difference(codec.features(coverage), std::span(all).subspan(i * size, size)), kEncodeTolerance);
    EXPECT_THAT(codec.encode(coverage), testing::ElementsAreArray(std::span(codes).subspan(i * 16, 16)));
  }
}

TEST(Encode, TheEmbeddedCodecGivesMasksBack) {
  const std::string path = POCKET_DIR "/mask_codec.safetensors";
  const MaskCodec codec = read_codec(FileBytes::map(path, ErrorKind::failure), path);
  ASSERT_TRUE(codec.has_encoder());
  Mask disk{.x = 30, .y = 20, .width = 80, .height = 60};
  for (int y = 0; y < 60; ++y)
    for (int x = 0; x < 80; ++x) disk.inside.push_back(std::hypot((x - 39.5) / 40, (y - 29.5) / 30) <= 1);
  const auto map = codec.decode(codec.encode(disk, {30, 20, 110, 80}));
  const Mask back = paste_mask(map, {.box = {30, 20, 110, 80}}, {.width = 128, .height = 96}, MaskProfile::standard);
  ASSERT_EQ(back.inside.size(), disk.inside.size());
  int both = 0, either = 0;
  for (std::size_t i = 0; i < disk.inside.size(); ++i) {
    both += back.inside[i] && disk.inside[i];
    either += back.inside[i] || disk.inside[i];
  }
  EXPECT_GT(both, 0.9 * either);
}

TEST(Encode, ACodecThatOnlyDecodesSaysSo) {
  const MaskCodec codec = read_codec(golden_file("codec/tiny.safetensors"), "tiny.safetensors");
  EXPECT_FALSE(codec.has_encoder());
  const Mask dot{.width = 1, .height = 1, .inside = {1}};
  expect_error(ErrorKind::model, "codec", "got a file that only decodes. Try: vae-oid.npz",
               [&] { codec.encode(dot, {0, 0, 1, 1}); });
}

TEST(CropMask, SeesTheMaskWhereItLies) {
  Mask whole{.width = 100, .height = 90, .inside = std::vector<std::uint8_t>(9000)};
  Mask part{.x = 37, .y = 11, .width = 20, .height = 50};
  for (int y = 0; y < 50; ++y)
    for (int x = 0; x < 20; ++x) {
      const std::uint8_t inside = (x * 7 + y * 3) % 5 < 2;
      part.inside.push_back(inside * 255);
      whole.inside[std::size_t(y + 11) * 100 + x + 37] = inside;
    }
  for (const std::array<double, 4> box :
       {std::array{0.0, 0.0, 100.0, 90.0}, std::array{30.0, 40.0, 50.0, 45.0}, std::array{60.0, 0.0, 90.0, 90.0}})
    EXPECT_EQ(crop_mask(part, box), crop_mask(whole, box));
}

TEST(CropMask, ASideThatVanishesIsAPixel) {
  Mask mask{.width = 10, .height = 10, .inside = std::vector<std::uint8_t>(100)};
  mask.inside[9 * 10 + 3] = 1;
  EXPECT_THAT(crop_mask(mask, {3.1, 9.6, 3.3, 10}), testing::Each(1.0f));
  EXPECT_THAT(crop_mask(mask, {4.1, 9.6, 4.3, 10}), testing::Each(0.0f));
}

// One row after the other has been made narrower when there are many.
TEST(CropMask, LargeMasksAreTheSameInStrips) {
  constexpr int kSides = 3000;
  Mask mask{.width = kSides, .height = kSides, .inside = std::vector<std::uint8_t>(std::size_t(kSides) * kSides)};
  for (int y = 0; y < kSides / 3; ++y) std::fill_n(mask.inside.begin() + std::ptrdiff_t(y) * kSides, kSides / 2, 1);
  const auto coverage = crop_mask(mask, {0, 0, kSides, kSides});
  double sum = 0;
  for (const float value : coverage) sum += value;
  EXPECT_NEAR(sum / coverage.size(), 1.0 / 6, 1e-4);
  EXPECT_EQ(coverage.front(), 1);
  EXPECT_EQ(coverage.back(), 0);
}

TEST(CropMask, RefusesBoxesAndMasksThatAreNone) {
  const Mask dot{.width = 1, .height = 1, .inside = {1}};
  const double nan = std::numeric_limits<double>::quiet_NaN(), huge = 1e300;
  for (const std::array<double, 4> box :
       {std::array{0.0, 0.0, 0.0, 1.0}, std::array{1.0, 0.0, 0.0, 1.0}, std::array{0.0, -1.0, 1.0, 1.0},
        std::array{0.0, nan, 1.0, 1.0}, std::array{0.0, 0.0, huge, 1.0}, std::array{0.0, 0.0, 1e6, 1e6}})
    expect_error(ErrorKind::usage, "mask", "expected a box", [&] { crop_mask(dot, box); });
  expect_error(ErrorKind::usage, "mask", "expected 2 x 1 pixels, got 1",
               [&] { crop_mask({.width = 2, .height = 1, .inside = {1}}, {0, 0, 1, 1}); });
}

}  // namespace
}  // namespace paligemma
