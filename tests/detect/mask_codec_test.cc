#include "detect/mask_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "support/golden.h"

namespace paligemma {
namespace {

using ::testing::HasSubstr;
using testing::golden;

std::vector<int> codes_of(const RawTensor& tensor) {
  std::vector<int> codes(tensor.bytes.size() / sizeof(std::int32_t));
  std::memcpy(codes.data(), tensor.bytes.data(), tensor.bytes.size());
  return codes;
}

// Sums of at most 9 x 128 products a layer in f32, 12 layers deep: 3e-6 of the map's size would be typical.
constexpr double kMapRelativeRms = 2e-5;

TEST(MaskCodec, MapsAgreeWithTheOriginal) {
  for (const std::string name : {"vae", "vae_small"}) {
    const MaskCodec codec = MaskCodec::read(FileBytes::map(golden("codec/" + name + ".npz"), ErrorKind::model), name);
    const Safetensors expected = testing::golden_tensors("codec/" + name + "_decode.safetensors");
    const std::vector<int> codes = codes_of(expected.others.at("codes"));
    const std::vector<float> maps = testing::values(expected.tensors.at("maps"));
    constexpr std::size_t kArea = kMapSide * kMapSide;
    ASSERT_EQ(maps.size(), codes.size() / 16 * kArea);
    for (std::size_t i = 0; i < codes.size() / 16; ++i) {
      const auto map = codec.decode(std::span<const int, 16>(codes.data() + 16 * i, 16));
      EXPECT_LE(testing::relative_rms(map, std::span(maps).subspan(i * kArea, kArea)), kMapRelativeRms) << name << " " << i;
    }
  }
}

std::string error_of(std::span<const std::byte> bytes) {
  try {
    MaskCodec::read(FileBytes::borrow(bytes), "codec");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model);
    return error.what();
  }
  return "no error";
}

TEST(MaskCodec, FileWithoutItsTensorsIsRefused) {
  const FileBytes file = FileBytes::map(golden("codec/vae_decode.safetensors"), ErrorKind::model);
  EXPECT_THAT(error_of(file.bytes()), HasSubstr("_vq_vae._embedding is missing"));
  EXPECT_THAT(error_of({}), HasSubstr("cannot read"));
}

// One letter of the embedded codec's header changed: a kernel that no longer fits.
TEST(MaskCodec, TensorsThatDoNotFitAreNamed) {
  const FileBytes file = FileBytes::map(std::filesystem::path(POCKET_DIR) / "mask_codec.safetensors", ErrorKind::model);
  std::string text(file.text());
  const std::string name = "\"decoder.6.weight\"", other = "\"decoder.8.weight\"";
  const std::size_t a = text.find(name), b = text.find(other);
  text.replace(a, name.size(), other);
  text.replace(b, other.size(), name);
  EXPECT_THAT(error_of(std::as_bytes(std::span(text))), HasSubstr("expected 32 inputs, got 16"));
}

}  // namespace
}  // namespace paligemma
