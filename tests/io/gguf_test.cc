#include "io/gguf.h"

#include <cstring>

#include "contents.h"
#include "support/golden.h"
#include "support/mutations.h"

namespace paligemma {
namespace {

using test::file_content;
using test::golden;
using ::testing::ElementsAre;

Gguf gguf_of(const std::string& file) { return read_gguf(FileBytes::borrow(as_bytes(file)), "x.gguf"); }

void expect_gguf_refused(const std::string& file, std::string_view part) {
  expect_error(ErrorKind::model, "gguf", part, [&] { gguf_of(file); });
  expect_error(ErrorKind::model, "gguf", "x.gguf", [&] { gguf_of(file); });
}

std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i);
  return out;
}
std::string u32(std::uint64_t value) { return number(value, 4); }
std::string u64(std::uint64_t value) { return number(value, 8); }
std::string text(std::string_view value) { return u64(value.size()) + std::string(value); }

std::string start(std::uint64_t tensors, std::uint64_t values) { return "GGUF" + u32(3) + u64(tensors) + u64(values); }

std::string tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions, std::uint64_t type,
                   std::uint64_t offset) {
  std::string out = text(name) + u32(dimensions.size());
  for (const std::uint64_t size : dimensions) out += u64(size);
  return out + u32(type) + u64(offset);
}

// The header, and `data` bytes of data where they begin.
std::string with_data(std::string header, std::size_t data) {
  header.resize((header.size() + 31) / 32 * 32);
  return header + std::string(data, '\1');
}

std::vector<float> numbers_of(const GgufTensor& tensor) {
  std::vector<float> out(HostTensor{DType::f32, tensor.shape, {}}.elements());
  const auto n = static_cast<std::int64_t>(out.size());
  if (const auto dtype = dtype_of(tensor.type))
    widen(tensor.bytes.data(), *dtype, n, out.data());
  else
    widen_gguf(tensor.bytes.data(), tensor.type, n, out.data());
  return out;
}

// Written by PyPI's gguf 0.19; the numbers are those of its dequantize().
TEST(Gguf, ReadsEveryTypeOfTensor) {
  const Gguf file = read_gguf(FileBytes::map(golden("gguf/every_type.gguf"), ErrorKind::model), "every_type");
  EXPECT_EQ(file.tensors.size(), 10u);
  const Safetensors expected = test::golden_tensors("gguf/every_type.safetensors");
  for (const char* name : {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_k", "q6_k", "four"}) {
    const GgufTensor& tensor = file.tensors.at(name);
    EXPECT_EQ(tensor.shape, expected.tensors.at(name).shape) << name;
    EXPECT_EQ(numbers_of(tensor), test::values(expected.tensors.at(name))) << name;
  }
  EXPECT_EQ(find_gguf_type(file.tensors.at("q5_0").type)->name, "Q5_0");
  EXPECT_EQ(file.tensors.at("q5_0").bytes.size(), 22u);
  EXPECT_EQ(file.tensors.at("i8").type, GgufType::i8);
  EXPECT_THAT(file.tensors.at("i8").bytes, ElementsAre(std::byte{1}, std::byte{0xfe}, std::byte{3}));
}

TEST(Gguf, ReadsEveryTypeOfValue) {
  const Gguf file = read_gguf(FileBytes::map(golden("gguf/every_type.gguf"), ErrorKind::model), "every_type");
  const auto value = [&](const char* key) { return file.metadata.at(std::string("v.") + key); };
  EXPECT_EQ(value("u8").natural(), 200u);
  EXPECT_EQ(value("i8").natural(), std::nullopt);
  EXPECT_EQ(value("u16").natural(), 60000u);
  EXPECT_EQ(value("i16").natural(), std::nullopt);
  EXPECT_EQ(value("u32").natural(), 4000000000u);
  EXPECT_EQ(value("i32").natural(), std::nullopt);
  EXPECT_EQ(value("u64").natural(), (std::uint64_t{1} << 63) + 5);
  EXPECT_EQ(value("i64").natural(), 7u);
  EXPECT_EQ(value("text").text(), "日本 text");
  EXPECT_EQ(value("text").natural(), std::nullopt);
  EXPECT_EQ(value("u8").text(), std::nullopt);
  EXPECT_EQ(value("f32").type, GgufValueType::f32);
  EXPECT_EQ(value("f32").bytes.size(), 4u);
  EXPECT_EQ(value("f64").bytes.size(), 8u);
  EXPECT_EQ(value("bool").type, GgufValueType::boolean);
  EXPECT_THAT(value("bool").bytes, ElementsAre(std::byte{1}));
  EXPECT_EQ(value("numbers").count, 3u);
  EXPECT_EQ(value("numbers").of, GgufValueType::i32);
  EXPECT_EQ(value("texts").of, GgufValueType::text);
  EXPECT_EQ(value("texts").bytes.size(), 8u + 1 + 8 + 8 + 2);
  EXPECT_EQ(value("lists").of, GgufValueType::list);
  EXPECT_EQ(value("lists").count, 2u);
  EXPECT_EQ(file.metadata.at("general.architecture").text(), "paligemma");
}

// The same contents in the same order: byte by byte the file that PyPI's gguf writes.
TEST(Gguf, IsWrittenAsTheOriginalDoes) {
  const std::string original = file_content(golden("gguf/written.gguf"));
  const Gguf file = gguf_of(original);
  NewGguf contents{.metadata = {{"general.architecture", "paligemma"},
                                {"general.name", "a name"},
                                {"general.file_type", std::uint32_t{7}}}};
  for (const char* name : {"f32", "f16", "bf16", "q8_0", "q4_0"}) {
    const GgufTensor& tensor = file.tensors.at(name);
    const std::size_t half = tensor.bytes.size() / 2;
    contents.tensors.push_back(
        {.name = name,
         .dtype = *dtype_of(tensor.type),
         .shape = tensor.shape,
         .pieces = 2,
         .piece = [&tensor,
                   half](std::size_t i) { return i == 0 ? tensor.bytes.first(half) : tensor.bytes.subspan(half); },
         .done = [] {}});
  }
  contents.bytes.emplace_back("bytes", "\1\xfe\3");
  std::string written;
  write_gguf(contents, [&](std::span<const std::byte> piece) {
    written.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  EXPECT_EQ(written, original);
}

TEST(Gguf, SmallestFiles) {
  EXPECT_TRUE(gguf_of(start(0, 0)).tensors.empty());
  EXPECT_TRUE(gguf_of("GGUF" + u32(2) + u64(0) + u64(0)).metadata.empty());
  EXPECT_TRUE(gguf_of(with_data(start(1, 0) + tensor("a", {0}, 0, 0), 0)).tensors.at("a").bytes.empty());
  EXPECT_EQ(gguf_of(with_data(start(1, 0) + tensor("a", {}, 0, 0), 4)).tensors.at("a").bytes.size(), 4u);
}

TEST(Gguf, RefusesALyingHeader) {
  expect_gguf_refused("", "begins with \"GGUF\"");
  expect_gguf_refused("GGUX" + u32(3), "begins with \"GGUF\"");
  expect_gguf_refused("GGUF" + u32(1) + u64(0) + u64(0), "expected version 2 or 3, got 1");
  expect_gguf_refused("GGUF" + u32(4) + u64(0) + u64(0), "expected version 2 or 3, got 4");
  expect_gguf_refused("GGUF" + u32(3u << 24) + u64(0) + u64(0), "little-endian");
  expect_gguf_refused("GGUF" + u32(3) + u64(0), "the number of values: expected 8 bytes, the file has 0 more");
  expect_gguf_refused(start(std::uint64_t{1} << 60, 0) + text("a"), "1152921504606846976 tensors in 9 bytes");
  expect_gguf_refused(start(0, 9) + text("a"), "9 values in 9 bytes");
}

TEST(Gguf, RefusesLyingValues) {
  const auto refused = [](const std::string& value, std::string_view part) {
    expect_gguf_refused(start(0, 1) + text("key") + value + std::string(16, '\0'), part);
  };
  refused(u32(13), "key: expected a type from 0 to 12, got 13");
  refused(u32(8) + u64(100), "key: expected 100 bytes, the file has 16 more");
  refused(u32(8) + u64(~std::uint64_t{0}), "key: expected 18446744073709551615 bytes");
  refused(u32(7) + "\2", "key: expected 0 or 1, got 2");
  refused(u32(9) + u32(7) + u64(1) + "\3", "key: expected 0 or 1, got 3");
  refused(u32(9) + u32(10) + u64(3), "key: a list of 3 values of 8 bytes, the file has 16 more");
  refused(u32(9) + u32(10) + u64(std::uint64_t{1} << 61), "a list of 2305843009213693952 values");
  refused(u32(9) + u32(77) + u64(0), "key: expected a type from 0 to 12, got 77");
  refused(u32(9) + u32(8) + u64(~std::uint64_t{0}), "the file has");
  std::string deep = u32(9);
  for (int i = 0; i < 40; ++i) deep += u32(9) + u64(1);
  refused(deep, "at most 16 lists in each other");
  expect_gguf_refused(start(0, 2) + (text("a") + u32(0) + "\1") + (text("a") + u32(0) + "\1"), "a is there twice");
  expect_gguf_refused(start(0, 1) + u64(65536) + std::string(65536 + 12, 'a'), "a key: expected at most 65535 bytes");
}

TEST(Gguf, RefusesLyingTensors) {
  const auto one = [](const std::string& info, std::size_t data) { return with_data(start(1, 0) + info, data); };
  expect_gguf_refused(one(tensor("a", {1, 1, 1, 1, 1}, 0, 0), 4), "expected at most 4 dimensions, got 5");
  expect_gguf_refused(one(tensor("a", {std::uint64_t{1} << 63}, 0, 0), 4), "below 2^63, got 9223372036854775808");
  expect_gguf_refused(one(tensor("a", {1, std::uint64_t{1} << 62, 4}, 0, 0), 4),
                      "too large: [4, 4611686018427387904, 1]");
  expect_gguf_refused(one(tensor("a", {std::uint64_t{1} << 62}, 0, 0), 4), "too large");
  expect_gguf_refused(one(tensor("a", {1}, 4, 0), 4), "expected a type that the format has, got 4");
  expect_gguf_refused(one(tensor("a", {33, 2}, 8, 0), 200), "whole blocks of 32 for Q8_0, got 33");
  expect_gguf_refused(one(tensor("a", {1}, 0, 4), 8), "multiple of 32, got 4");
  expect_gguf_refused(one(tensor("a", {2}, 0, 0), 4), "8 bytes at byte 0 of 4 bytes of data");
  expect_gguf_refused(one(tensor("a", {1}, 0, 64), 64), "4 bytes at byte 64 of 64 bytes of data");
  expect_gguf_refused(one(tensor("a", {1}, 0, ~std::uint64_t{31}), 64), "of 64 bytes of data");
  const auto two = [](const std::string& a, const std::string& b) { return with_data(start(2, 0) + a + b, 128); };
  expect_gguf_refused(two(tensor("a", {9}, 0, 0), tensor("b", {1}, 0, 32)),
                      "tensor b: begins at byte 32, where tensor a ends at byte 36");
  expect_gguf_refused(two(tensor("a", {1}, 0, 0), tensor("a", {1}, 0, 32)), "a is there twice");
  expect_gguf_refused(start(1, 0) + tensor("a", {1}, 0, 0), "expected data from byte");
}

TEST(Gguf, AlignmentIsWhatTheFileSays) {
  const auto file = [](const std::string& value, std::uint64_t offset) {
    return with_data(start(1, 1) + text("general.alignment") + value + tensor("a", {1}, 0, offset), 64);
  };
  EXPECT_EQ(gguf_of(file(u32(4) + u32(8), 8)).tensors.size(), 1u);
  expect_gguf_refused(file(u32(4) + u32(16), 8), "multiple of 16, got 8");
  for (const std::uint64_t wrong : {0u, 4u, 24u, 1u << 31})
    expect_gguf_refused(file(u32(4) + u32(wrong), 0), join("from 8 to 2^30, got ", wrong));
  expect_gguf_refused(file(u32(8) + text("32"), 0), "from 8 to 2^30, got 0");
}

TEST(DamagedFiles, Gguf) {
  const auto read = [](std::span<const std::byte> bytes) {
    const Gguf file = read_gguf(FileBytes::borrow(bytes), "x");
    std::string digest;
    for (const auto& [key, value] : file.metadata)
      digest += join(key, ' ', static_cast<int>(value.type), ' ', value.count, ' ', value.bytes.size(), '\n');
    for (const auto& [name, tensor] : file.tensors) {
      digest += join(name, ' ', find_gguf_type(tensor.type)->name, ' ', shape_text(tensor.shape));
      for (const std::byte byte : tensor.bytes) digest += static_cast<char>(byte);
    }
    return digest;
  };
  for (const char* name : {"gguf/every_type.gguf", "gguf/written.gguf", "tiny/model.gguf"})
    test::expect_survives(file_content(golden(name)), ErrorKind::model, read, {.changed = 10000});
}

}  // namespace
}  // namespace paligemma
