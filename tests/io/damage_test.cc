// Every reader of this folder with its files cut and changed (support/mutations.h).
#include <string>

#include "io/hdf5.h"
#include "io/json.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "support/crc32.h"
#include "support/mutations.h"

namespace paligemma {
namespace {

using test::expect_survives;
using test::file_content;

using Bytes = std::span<const std::byte>;

// Every byte that a reader gives, in short.
void add(std::string& digest, std::string_view name, const HostTensor& tensor) {
  digest += join(name, ' ', paligemma::name(tensor.dtype), ' ', test::crc32(tensor.bytes));
  for (const auto n : tensor.shape) digest += join(' ', n);
  digest += '\n';
}

std::string hdf5(Bytes bytes) {
  const Hdf5 file = read_hdf5(FileBytes::borrow(bytes), "x");
  std::string digest;
  for (const auto& [path, tensor] : file.datasets) add(digest, path, tensor);
  for (const auto* texts : {&file.names, &file.skipped})
    for (const auto& [path, text] : *texts) digest += join(path, ' ', text, '\n');
  return digest;
}

TEST(DamagedFiles, Hdf5) {
  expect_survives(file_content(GOLDEN_DIR "/io/mixed.h5"), ErrorKind::model, hdf5, {.changed = 2048});
  expect_survives(file_content(GOLDEN_DIR "/keras/pg2_f32_sharded/model_00001.weights.h5"), ErrorKind::model, hdf5,
                  {.changed = 128});
  expect_survives(file_content(GOLDEN_DIR "/keras/pg2_bf16/model.weights.h5"), ErrorKind::model, hdf5, {.changed = 32});
}

// A cut file is known by the end that the superblock tells; here that is made to fit. h5py has data before headers, our
// own writer after them.
TEST(DamagedFiles, Hdf5WhoseEndIsWhereItWasCut) {
  std::string own;
  write_hdf5(
      {.datasets = {{"a", DType::f32, {50}}, {"b/c", DType::bf16, {3}}}, .names = {{"b", "text"}}},
      [](std::size_t i, const ByteSink& put) {
        const std::string data(i == 0 ? 200 : 6, 'x');
        put(std::as_bytes(std::span(data)));
      },
      [&](Bytes piece) { own.append(reinterpret_cast<const char*>(piece.data()), piece.size()); });
  for (std::string file : {own, file_content(GOLDEN_DIR "/io/mixed.h5")}) {
    test::Fenced room(file.size());
    for (std::size_t length = file.size() - 1; length >= 96; --length) {
      file.resize(length);
      for (int i = 0; i < 8; ++i) file[40 + i] = static_cast<char>(length >> 8 * i);
      try {
        hdf5(std::as_bytes(room.copy(file)));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::model);
        EXPECT_EQ(error.code(), "hdf5");
      }
    }
  }
}

TEST(DamagedFiles, Safetensors) {
  const auto read = [](Bytes bytes) {
    const Safetensors file = read_safetensors(FileBytes::borrow(bytes), "x");
    std::string digest;
    for (const auto& [name, tensor] : file.tensors) add(digest, name, tensor);
    for (const auto& [name, tensor] : file.others) digest += join(name, test::crc32(tensor.bytes), '\n');
    return digest;
  };
  expect_survives(file_content(GOLDEN_DIR "/io/mixed.safetensors"), ErrorKind::model, read, {.changed = 1000});
  expect_survives(file_content(GOLDEN_DIR "/models/pg2/model-00002-of-00006.safetensors"), ErrorKind::model, read,
                  {.changed = 1024});
}

TEST(DamagedFiles, Npz) {
  const auto read = [](Bytes bytes) {
    std::string digest;
    for (const auto& [name, array] : read_npz(FileBytes::borrow(bytes), "x", 1 << 24)) add(digest, name, array.tensor);
    return digest;
  };
  for (const char* name : {"/io/stored.npz", "/io/deflated.npz"})
    expect_survives(file_content(std::string(GOLDEN_DIR) + name), ErrorKind::model, read, {.changed = 1024});
}

TEST(DamagedFiles, Json) {
  const auto read = [](Bytes bytes) {
    return dump_json(parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "x", ErrorKind::model));
  };
  expect_survives(file_content(GOLDEN_DIR "/models/pg2/config.json"), ErrorKind::model, read, {.changed = 4000});
}

// What a reader holds at most while it reads `text`, which it may refuse.
template <class Read>
std::size_t memory_for(const std::string& text, const Read& read) {
  return test::peak_bytes([&] {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::model);
      EXPECT_LE(std::string_view(error.what()).size(), kLongestMessage + 3);
    }
  });
}

constexpr std::size_t kMegabyte = 1'000'000;

TEST(Memory, OfJson) {
  const auto read = [](const std::string& text) { parse_json(text, "x", ErrorKind::model); };
  EXPECT_LT(memory_for(std::string(100'000, '['), read), kMegabyte);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_LT(memory_for(deep, read), kMegabyte);
  const std::string digits(kMegabyte, '7');
  for (const std::string& number : {digits, "-" + digits, "0." + digits, "1e" + digits, "1e-" + digits, digits + "e1"})
    EXPECT_LT(memory_for("[" + number + "]", read), 16 * kMegabyte);
  EXPECT_LT(memory_for("\"" + digits, read), 16 * kMegabyte);
  std::string same = "{\"a\":0";
  for (int i = 0; i < 600'000; ++i) same += ",\"a\":0";
  EXPECT_LT(memory_for(same + "}", read), 50 * same.size());
}

// Every tensor costs a name, a shape and an entry.
TEST(Memory, OfSafetensorsOf600000Tensors) {
  const auto read = [](const std::string& text) {
    read_safetensors(FileBytes::borrow(std::as_bytes(std::span(text))), "x");
  };
  const auto file_of = [](const std::string& header) {
    std::string length;
    for (int i = 0; i < 8; ++i) length += static_cast<char>(header.size() >> 8 * i);
    return length + header;
  };
  const auto header_of = [](const auto& name) {
    std::string header = "{";
    for (int i = 0; i < 600'000; ++i)
      header.append(i == 0 ? "\"" : ",\"")
          .append(name(i))
          .append(R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})");
    return header + "}";
  };
  const std::string many = file_of(header_of([](int i) { return std::to_string(i); }));
  EXPECT_LT(memory_for(many, read), 12 * many.size());
  EXPECT_LT(memory_for(file_of(header_of([](int) { return "a"; })), read), kMegabyte);  // the second ends it
  const std::string cut = many.substr(0, many.size() - 1);
  EXPECT_LT(memory_for(cut, read), kMegabyte);  // the length says so at once
}

}  // namespace
}  // namespace paligemma
