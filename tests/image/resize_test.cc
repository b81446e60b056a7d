#include "image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "support/crc32.h"
#include "support/golden.h"

namespace paligemma {
namespace {

using test::golden;

std::span<const std::uint8_t> bytes(const RawTensor& tensor) {
  return {reinterpret_cast<const std::uint8_t*>(tensor.bytes.data()), tensor.bytes.size()};
}

// "name/size/..." -> name, size.
struct Key {
  std::string name, rest;
  int size = 0;

  explicit Key(const std::string& key) {
    const std::size_t slash = key.find('/'), next = std::min(key.find('/', slash + 1), key.size());
    name = key.substr(0, slash);
    size = std::stoi(key.substr(slash + 1, next - slash - 1));
    rest = key.substr(next);
  }
};

Picture stored(const Key& key) { return read_picture(golden("resize/pictures/" + key.name + ".png")); }

std::size_t differing(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  if (a.size() != b.size()) return std::max(a.size(), b.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i];
  return count;
}

// (3, height, width) from (height, width, 3).
std::vector<std::uint8_t> planes(const Picture& picture) {
  std::vector<std::uint8_t> out;
  for (int c = 0; c < 3; ++c) {
    for (std::size_t i = c; i < picture.rgb.size(); i += 3) out.push_back(picture.rgb[i]);
  }
  return out;
}

TEST(Resize, EqualsPillow12) {
  const Safetensors expected = test::golden_tensors("resize/pillow_bicubic.safetensors");
  ASSERT_EQ(expected.others.size(), 29u);
  for (const auto& [name, tensor] : expected.others) {
    const Key key(name);
    EXPECT_EQ(differing(resize(stored(key), key.size, key.size, Resize::pillow_12).rgb, bytes(tensor)), 0u) << name;
  }
}

// tall_1000x3/224 also differs in Pillow 13.0.0, but is not in the file: the CRC-32 of Pillow's bytes, by hand.
constexpr std::string_view kMissing = "tall_1000x3/224";
constexpr std::uint32_t kMissingCrc = 0x1f9a0824;

TEST(Resize, EqualsPillow13) {
  const Safetensors before = test::golden_tensors("resize/pillow_bicubic.safetensors");
  const Safetensors changed = test::golden_tensors("resize/pillow13_bicubic.safetensors");
  ASSERT_EQ(changed.others.size(), 5u);
  for (const auto& [name, tensor] : before.others) {
    const Key key(name);
    const auto now = changed.others.find(name);
    const RawTensor& expected = now == changed.others.end() ? tensor : now->second;
    for (const Resize method : {Resize::automatic, Resize::pillow}) {
      const Picture resized = resize(stored(key), key.size, key.size, method);
      if (name == kMissing) {
        EXPECT_EQ(test::crc32(std::span<const std::uint8_t>(resized.rgb)), kMissingCrc);
      } else {
        EXPECT_EQ(differing(resized.rgb, bytes(expected)), 0u) << name;
      }
    }
  }
}

TEST(Resize, EqualsTheReferencesProcessor) {
  const Safetensors expected = test::golden_tensors("pictures/resized.safetensors");
  int cases = 0;
  for (const auto& [name, tensor] : expected.others) {
    const Key key(name);
    if (!key.rest.empty()) continue;  // torchvision's resize, transparency on white
    ++cases;
    const Picture picture = read_picture(golden("pictures/" + key.name), {.apply_exif = false});
    EXPECT_EQ(differing(planes(resize(picture, key.size, key.size, Resize::automatic)), bytes(tensor)), 0u) << name;
  }
  EXPECT_EQ(cases, 50);
}

TEST(Resize, EqualsTensorFlow) {
  const Safetensors expected = test::golden_tensors("resize/tf_bilinear.safetensors");
  int cases = 0;
  for (const auto& [name, tensor] : expected.tensors) {
    const Key key(name);
    const bool antialias = key.rest == "/antialias=True/float";
    const Picture picture = stored(key);
    const std::vector<float> actual = resize_tf(picture, key.size, key.size, antialias);
    const std::vector<float> wanted = test::values(tensor);
    ASSERT_EQ(actual.size(), wanted.size());
    std::size_t differing = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) differing += actual[i] != wanted[i];
    EXPECT_EQ(differing, 0u) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 34);
}

TEST(Resize, EqualsBigVisionsOp) {
  const Safetensors expected = test::golden_tensors("resize/tf_bilinear.safetensors");
  ASSERT_EQ(expected.others.size(), 48u);
  for (const auto& [name, tensor] : expected.others) {
    const Key key(name);
    const Resize method = key.rest == "/antialias=True/uint8" ? Resize::tf_antialias : Resize::tf_bilinear;
    EXPECT_EQ(differing(resize(stored(key), key.size, key.size, method).rgb, bytes(tensor)), 0u) << name;
  }
}

// The middle square, bilinear without antialiasing, floats in [-1, 1].
TEST(Resize, EqualsKerasHub) {
  const Safetensors expected = test::golden_tensors("resize/keras_hub.safetensors");
  ASSERT_EQ(expected.tensors.size(), 12u);
  for (const auto& [name, tensor] : expected.tensors) {
    const Key key(name);
    const std::vector<float> actual = resize_keras(stored(key), key.size), wanted = test::values(tensor);
    ASSERT_EQ(actual.size(), wanted.size()) << name;
    // Levels up to 255 in f32, a few operations each: some units of 2^-16, over 127.5.
    for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], wanted[i], 5e-7f) << name << " " << i;
  }
}

TEST(Resize, KerasSeesTheMiddleSquare) {
  const auto area = [](int width, int height, Resize method) {
    const Area seen = seen_area(width, height, method);
    return std::array{seen.x, seen.y, seen.width, seen.height};
  };
  EXPECT_EQ(area(121, 90, Resize::keras), (std::array{15, 0, 90, 90}));
  EXPECT_EQ(area(50, 71, Resize::keras), (std::array{0, 10, 50, 50}));
  EXPECT_EQ(area(50, 71, Resize::tf_bilinear), (std::array{0, 0, 50, 71}));
}

}  // namespace
}  // namespace paligemma
