#include "io/safetensors.h"

#include <string>

#include "contents.h"
#include "io/streamed_array.h"

namespace paligemma {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::string length_field(std::uint64_t length) {
  std::string result;
  for (int i = 0; i < 8; ++i) result += static_cast<char>(length >> 8 * i);
  return result;
}

std::string file_of(std::string_view header, std::size_t data_bytes) {
  return join(length_field(header.size()), header, std::string(data_bytes, '\1'));
}

Safetensors safetensors_of(const std::string& file) {
  return read_safetensors(FileBytes::borrow(as_bytes(file)), "x.safetensors");
}

void expect_safetensors_refused(const std::string& file, std::string_view part) {
  SCOPED_TRACE(file.substr(0, 200));
  expect_error(ErrorKind::model, "safetensors", part, [&] { safetensors_of(file); });
  expect_error(ErrorKind::model, "safetensors", "x.safetensors", [&] { safetensors_of(file); });
}

std::string tensor(std::string_view name, std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return join('"', name, R"(":{"dtype":")", dtype, R"(","shape":[)", shape, R"(],"data_offsets":[)", offsets, "]}");
}

// Written by Python's safetensors 0.8 from numpy arrays of these values.
TEST(Safetensors, ReadsWhatTheOriginalWrites) {
  const Safetensors file =
      read_safetensors(FileBytes::map(GOLDEN_DIR "/io/mixed.safetensors", ErrorKind::model), "mixed");
  EXPECT_THAT(file.metadata, ElementsAre(Pair("format", "np"), Pair("note", "日本")));
  EXPECT_THAT(file.others, ElementsAre(Pair("ids", ::testing::Field(&RawTensor::dtype, "I64"))));
  ASSERT_EQ(file.tensors.size(), 5u);
  const HostTensor& f4 = file.tensors.at("a.f4");
  EXPECT_EQ(f4.dtype, DType::f32);
  EXPECT_THAT(f4.shape, ElementsAre(2, 3));
  EXPECT_THAT(values(f4), ElementsAre(1.5f, -2.25f, 3.0f, 0.0f, 1e-30f, 6e4f));
  EXPECT_EQ(file.tensors.at("f2").dtype, DType::f16);
  EXPECT_THAT(values(file.tensors.at("f2")), ElementsAre(0.5f, -65504.0f, 5.9604645e-8f));
  EXPECT_EQ(file.tensors.at("bf16").dtype, DType::bf16);
  EXPECT_THAT(values(file.tensors.at("bf16")), ElementsAre(1.0f, -0.5f, 3.140625f));
  EXPECT_THAT(file.tensors.at("scalar").shape, ElementsAre());
  EXPECT_THAT(values(file.tensors.at("scalar")), ElementsAre(7.25f));
  EXPECT_THAT(file.tensors.at("empty").shape, ElementsAre(0, 4));
  EXPECT_TRUE(file.tensors.at("empty").bytes.empty());
}

// Values as Python's safetensors prints them.
TEST(Safetensors, ReadsAShardOfACheckpoint) {
  const Safetensors file = read_safetensors(
      FileBytes::map(GOLDEN_DIR "/models/pg2/model-00002-of-00006.safetensors", ErrorKind::model), "shard");
  ASSERT_EQ(file.tensors.size(), 6u);
  const HostTensor& weight = file.tensors.at("multi_modal_projector.linear.weight");
  EXPECT_EQ(weight.dtype, DType::bf16);
  EXPECT_THAT(weight.shape, ElementsAre(64, 48));
  EXPECT_THAT(values(weight), testing::Contains(-0.10693359375f));
  EXPECT_EQ(values(weight)[1], -0.034912109375f);
  EXPECT_EQ(values(file.tensors.at("vision_tower.vision_model.post_layernorm.weight"))[1], 0.87109375f);
}

TEST(Safetensors, SmallestFiles) {
  EXPECT_TRUE(safetensors_of(file_of("{}", 0)).tensors.empty());
  EXPECT_TRUE(safetensors_of(file_of("{}  ", 0)).tensors.empty());
  EXPECT_TRUE(safetensors_of(file_of(R"({"__metadata__":{}})", 0)).metadata.empty());
}

TEST(Safetensors, RefusesALyingHeader) {
  expect_safetensors_refused("", "at least 8 bytes");
  expect_safetensors_refused("1234567", "at least 8 bytes");
  expect_safetensors_refused(length_field(3) + "{}", "header of 3 bytes in a file of 10");
  expect_safetensors_refused(length_field(~std::uint64_t{0}) + "{}", "at most");
  expect_safetensors_refused(length_field(100'000'001) + "{}", "at most");
  expect_safetensors_refused(file_of("", 0), "begins with");
  expect_safetensors_refused(file_of("[]", 0), "begins with");
  expect_safetensors_refused(file_of(" {}", 0), "begins with");
  expect_safetensors_refused(file_of("{", 0), "end of input");
  expect_safetensors_refused(file_of("{}x", 0), "column 3");
  expect_safetensors_refused(file_of(R"({"__metadata__":[]})", 0), "__metadata__");
  expect_safetensors_refused(file_of(R"({"__metadata__":{"a":1}})", 0), "expected text");
  expect_safetensors_refused(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "twice");
}

TEST(Safetensors, RefusesALyingTensor) {
  const auto one = [](std::string_view dtype, std::string_view shape, std::string_view offsets, std::size_t bytes) {
    return file_of("{" + tensor("t", dtype, shape, offsets) + "}", bytes);
  };
  EXPECT_NO_THROW(safetensors_of(one("F32", "2", "0,8", 8)));
  expect_safetensors_refused(one("F32", "2", "0,12", 12), "expected 8 bytes");
  expect_safetensors_refused(one("BF16", "2", "0,8", 8), "expected 4 bytes");
  expect_safetensors_refused(one("I64", "2", "0,8", 8), "expected 16 bytes");
  expect_safetensors_refused(one("F32", "2", "0,8", 7), "of 7 bytes");
  expect_safetensors_refused(one("F32", "2", "0,8", 9), "expected 8 bytes of data, got 9");
  expect_safetensors_refused(one("F32", "2", "8,0", 8), "bytes 8 to 0");
  expect_safetensors_refused(one("F32", "2", "0,18446744073709551615", 8), "below 2^63");
  expect_safetensors_refused(one("F32", "2", "-8,0", 8), "natural numbers");
  expect_safetensors_refused(one("F32", "2", "0.0,8", 8), "natural numbers");
  expect_safetensors_refused(one("F32", "-2", "0,8", 8), "natural numbers");
  expect_safetensors_refused(one("F32", "2", "0", 8), "two data_offsets");
  expect_safetensors_refused(one("F32", "4611686018427387904,2,2", "0,0", 0), "too large");
  expect_safetensors_refused(one("F32", "4294967296,4294967296,0", "0,0", 0), "too large");
  expect_safetensors_refused(file_of(R"({"t":1})", 0), "expected an object of");
  expect_safetensors_refused(file_of(R"({"t":{"dtype":"F32","shape":[0]}})", 0), "expected an object of");
  expect_safetensors_refused(file_of(R"({"t":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}})", 0),
                             "expected an object of");
  expect_safetensors_refused(file_of(R"({"t":{"dtype":4,"shape":[0],"data_offsets":[0,0]}})", 0),
                             "expected an object of");
  expect_safetensors_refused(file_of(R"({"t":{"dtype":"F32","shape":0,"data_offsets":[0,0]}})", 0), "expected a list");
}

TEST(Safetensors, RefusesOverlapsHolesAndDuplicates) {
  const auto two = [](std::string_view first, std::string_view second, std::size_t bytes) {
    return file_of(join('{', first, ',', second, '}'), bytes);
  };
  EXPECT_NO_THROW(safetensors_of(two(tensor("b", "F32", "1", "4,8"), tensor("a", "F32", "1", "0,4"), 8)));
  expect_safetensors_refused(two(tensor("a", "F32", "1", "0,4"), tensor("b", "F32", "1", "0,4"), 4),
                             "begin at byte 4, got 0");
  expect_safetensors_refused(two(tensor("a", "F32", "2", "0,8"), tensor("b", "F32", "2", "4,12"), 12),
                             "begin at byte 8, got 4");
  expect_safetensors_refused(two(tensor("a", "F32", "1", "0,4"), tensor("b", "F32", "1", "8,12"), 12),
                             "begin at byte 4, got 8");
  expect_safetensors_refused(two(tensor("a", "F32", "1", "4,8"), tensor("b", "F32", "1", "8,12"), 12),
                             "begin at byte 0, got 4");
  expect_safetensors_refused(two(tensor("a", "U8", "2", "0,2"), tensor("b", "F32", "1", "2,6"), 6), "multiple of 4");
  expect_safetensors_refused(two(tensor("a", "F32", "1", "0,4"), tensor("a", "F32", "1", "4,8"), 8),
                             "a is there twice");
  expect_safetensors_refused(two(tensor("a", "F32", "1", "0,4"), tensor("a", "U8", "4", "4,8"), 8), "a is there twice");
  expect_safetensors_refused(two(tensor("a", "U8", "4", "0,4"), tensor("a", "F32", "1", "4,8"), 8), "a is there twice");
}

TEST(Safetensors, AnArrayWithoutElementsHasNoBytes) {
  const StreamedArray array{.name = "a", .shape = {0, std::int64_t{1} << 61}};
  EXPECT_EQ(array.bytes(), 0u);
}

TEST(Safetensors, OtherTypesAreKeptAsTheyAre) {
  const Safetensors file = safetensors_of(
      file_of(join('{', tensor("a", "F4", "3,5", "0,8"), ',', tensor("b", "F32", "1", "8,12"), '}'), 12));
  EXPECT_THAT(file.others, ElementsAre(Pair("a", ::testing::Field(&RawTensor::dtype, "F4"))));
  EXPECT_EQ(file.tensors.size(), 1u);
}

TEST(Safetensors, AHundredThousandTensors) {
  std::string header = "{";
  for (int i = 0; i < 100'000; ++i)
    header += tensor(join("layers.", i), "F32", "1", join(i * 4, ',', i * 4 + 4)) + (i == 99'999 ? '}' : ',');
  EXPECT_EQ(safetensors_of(file_of(header, 400'000)).tensors.size(), 100'000u);
}

}  // namespace
}  // namespace paligemma
