#include "detect/mask_codec.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "golden.h"
#include "io/npz.h"

namespace paligemma {
namespace {

MaskCodec read_golden(const std::string& path) { return read_codec(golden_file(path), path); }

// Eleven layers lie on the way from the codes to the map. Each adds up at most K = 9 * 128 products in f32 and so errs
// by about sqrt(K) * 2^-24 of its scale; two computations differ by at most the sum of both: 2 * 11 * 34 * 2^-24 of the
// map's largest value.
constexpr double kTolerance = 2 * 11 * 34 * 0x1p-24;

void expect_golden_maps(const std::string& name, std::size_t cases) {
  const MaskCodec codec = read_golden("codec/" + name);
  const std::string expected_in = "codec/" + name.substr(0, name.find('.')) + "_decode.safetensors";
  const auto codes = golden_tensor<std::int32_t>(expected_in, "codes");
  const auto maps = golden_tensor<float>(expected_in, "maps");
  ASSERT_EQ(codes.size(), cases * 16);
  ASSERT_EQ(maps.size(), cases * 64 * 64);
  for (std::size_t i = 0; i < cases; ++i) {
    const auto map = codec.decode(std::span(codes).subspan(i * 16).first<16>());
    const auto expected = std::span(maps).subspan(i * 64 * 64, 64 * 64);
    ASSERT_EQ(map.size(), expected.size());
    float largest = 0, difference = 0;
    for (std::size_t k = 0; k < map.size(); ++k) {
      largest = std::max(largest, std::abs(expected[k]));
      difference = std::max(difference, std::abs(map[k] - expected[k]));
    }
    EXPECT_LE(difference, kTolerance * largest) << name << " " << i;
  }
}

TEST(MaskCodec, GoldenMaps) { expect_golden_maps("vae.npz", 20); }
TEST(MaskCodec, GoldenMapsOfASmallCodec) { expect_golden_maps("vae_small.npz", 5); }
// Random f16 numbers, widths that all differ, no encoder; the maps by numpy in double precision from the definitions of
// torch.nn.Conv2d and ConvTranspose2d.
TEST(MaskCodec, MapsOfATinyF16CodecInSafetensors) { expect_golden_maps("tiny.safetensors", 3); }

// An array to be written to a safetensors file.
struct Array {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};
using Arrays = std::map<std::string, Array>;

std::string safetensors(const Arrays& arrays) {
  Json header;
  std::string data;
  for (const auto& [name, array] : arrays) {
    header[name] = {{"dtype", array.dtype}, {"shape", array.shape}};
    header[name]["data_offsets"] = {data.size(), data.size() + array.bytes.size()};
    data += array.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text + data;
}

// The small golden codec with each number changed by `convert` and written as `dtype`, an element of `bytes` bytes.
Arrays small_codec(
    const std::string& dtype = "F32", int bytes = 4,
    const std::function<std::uint32_t(float)>& convert = [](float f) { return std::bit_cast<std::uint32_t>(f); }) {
  Arrays arrays;
  for (const auto& [name, array] : read_npz(golden_file("codec/vae_small.npz"), "vae_small.npz")) {
    std::string data;
    for (std::size_t i = 0; i < array.tensor.bytes.size() / 4; ++i) {
      float value;
      std::memcpy(&value, &array.tensor.bytes[i * 4], 4);
      const std::uint32_t bits = convert(value);
      data.append(reinterpret_cast<const char*>(&bits), bytes);
    }
    arrays[name] = {dtype, array.tensor.shape, data};
  }
  return arrays;
}

MaskCodec read(const Arrays& arrays) {
  const std::string file = safetensors(arrays);
  return read_codec(FileBytes::borrow(std::as_bytes(std::span(file))), "codec.safetensors");
}

constexpr std::array<int, 16> kCodes{0, 127, 3, 64, 12, 99, 5, 5, 80, 1, 2, 33, 111, 40, 70, 7};

TEST(MaskCodec, ReadsF32AndBf16FromSafetensors) {
  const auto expected = read_golden("codec/vae_small.npz").decode(kCodes);
  EXPECT_EQ(read(small_codec()).decode(kCodes), expected);
  const auto rounded = [](float f) { return std::bit_cast<std::uint32_t>(round_to_bf16(f)); };
  const auto map = read(small_codec("BF16", 2, f32_to_bf16)).decode(kCodes);
  EXPECT_EQ(map, read(small_codec("F32", 4, rounded)).decode(kCodes));
  EXPECT_NE(map, expected);
}

void expect_refused(const std::function<void()>& call, std::string_view part) {
  try {
    call();
    ADD_FAILURE() << "no error; expected one with \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model);
    EXPECT_EQ(error.code(), "codec");
    EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

TEST(MaskCodec, RefusesArraysThatDoNotFit) {
  const Arrays good = small_codec();
  const auto expect = [&](const std::string& name, const Array& array, std::string_view part) {
    Arrays arrays = good;
    arrays[name] = array;
    expect_refused([&] { read(arrays); }, part);
  };
  const auto zeros = [](std::vector<std::int64_t> shape) {
    std::size_t bytes = 4;
    for (const auto side : shape) bytes *= side;
    return Array{"F32", shape, std::string(bytes, '\0')};
  };
  expect("_vq_vae._embedding", zeros({127, 24}), "at least 128 codes, got 127");
  expect("_vq_vae._embedding", zeros({128}), "expected shape [-1, -1] (-1: any), got [128]");
  expect("_vq_vae._embedding", zeros({128, 23}),
         "decoder.0.weight: expected shape [-1, 23, 1, 1] (-1: any), got [16, 24, 1, 1]");
  expect("decoder.0.weight", zeros({0, 24, 1, 1}), "got [0, 24, 1, 1]");
  expect("decoder.0.weight", zeros({5000, 24, 1, 1}), "got [5000, 24, 1, 1]");
  expect("decoder.0.bias", zeros({17}), "decoder.0.bias: expected shape [16]");
  expect("decoder.2.net.2.weight", zeros({16, 16, 1, 1}), "decoder.2.net.2.weight: expected shape [-1, 16, 3, 3]");
  expect("decoder.3.net.4.weight", zeros({15, 16, 1, 1}), "decoder.3.net.4.weight: expected shape [16, 16, 1, 1]");
  expect("decoder.6.weight", zeros({8, 16, 4, 4}), "decoder.6.weight: expected shape [16, -1, 4, 4]");
  expect("decoder.10.weight", zeros({4, 2, 3, 3}), "decoder.10.weight: expected shape [4, -1, 4, 4]");
  expect("decoder.12.weight", zeros({2, 2, 1, 1}), "decoder.12.weight: expected shape [1, 2, 1, 1]");
  expect("decoder.12.bias", {"I32", {1}, std::string(4, '\0')},
         "decoder.12.bias: expected f32, f16 or bf16 numbers, got I32");
  expect("encoder.0.weight", zeros({6, 2, 4, 4}), "encoder.0.weight: expected shape [-1, 1, -1, -1] (-1: any), got");
  expect("encoder.2.weight", zeros({10, 6, 3, 4}), "encoder.2.weight: expected a square kernel of at most 8 by 8, got");
  expect("encoder.4.weight", zeros({12, 10, 9, 9}), "got [12, 10, 9, 9]");
  expect("encoder.9.net.4.weight", zeros({15, 16, 1, 1}), "encoder.9.net.4.weight: expected shape [16, 16, 1, 1]");
  expect("encoder.10.weight", zeros({23, 16, 3, 3}), "encoder.10.weight: expected shape [24, 16, -1, -1]");
  Arrays arrays = good;
  arrays.erase("encoder.6.bias");
  expect_refused([&] { read(arrays); }, "encoder.6.bias: expected f32, f16 or bf16 numbers, got none");
  arrays = good;
  arrays.erase("decoder.8.bias");
  expect_refused([&] { read(arrays); },
                 "codec.safetensors: decoder.8.bias: expected f32, f16 or bf16 numbers, got none");
}

TEST(MaskCodec, RefusesOtherFiles) {
  const FileBytes whole = golden_file("codec/vae_small.npz");
  for (const std::size_t size : {std::size_t{0}, std::size_t{2}, std::size_t{40}, whole.bytes().size() - 1})
    expect_refused([&] { read_codec(FileBytes::borrow(whole.bytes().first(size)), "cut.npz"); }, "cut.npz");
  expect_refused([&] { read_codec(golden_file("pictures/cat.png"), "cat.png"); },
                 "cat.png: expected an npz or safetensors file");
}

TEST(MaskCodec, RefusesCodesOutside) {
  const MaskCodec codec = read_golden("codec/vae_small.npz");
  EXPECT_EQ(codec.codes(), 128);
  for (const int wrong : {-1, 128}) {
    auto codes = kCodes;
    codes[7] = wrong;
    EXPECT_THROW(codec.decode(codes), Error);
  }
}

}  // namespace
}  // namespace paligemma
