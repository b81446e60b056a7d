#include "io/hdf5.h"

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "contents.h"
#include "support/crc32.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

Hdf5 golden_hdf5(const std::string& name) {
  return read_hdf5(FileBytes::map(std::string(GOLDEN_DIR "/") + name, ErrorKind::model), name);
}

std::string content(const std::string& name) {
  std::ifstream in(std::string(GOLDEN_DIR "/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What h5py sees in a file: the lines of hdf5_tree.txt below "# file" that tell of datasets and of names.
struct Tree {
  std::map<std::string, std::string> datasets, names;
};

Tree expected_tree(const std::string& folder, const std::string& file) {
  static const std::regex group(R"re(G (\S+)  \{"name": "(.*)"\})re");
  static const std::regex dataset(R"re(D (\S+)  shape=\((.*?),?\) dtype=(\S+) id=\S+(?:  \{"dtype": "(.*)"\})?)re");
  Tree tree;
  std::ifstream in(GOLDEN_DIR "/keras/" + folder + "/hdf5_tree.txt");
  bool here = false;
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) here = line == "# " + file;
    if (here && std::regex_match(line, match, group)) tree.names[match[1]] = match[2];
    if (here && std::regex_match(line, match, dataset))
      tree.datasets[match[1]] = join(match[4].matched ? match[4] : match[3], " (", match[2], ")");
  }
  return tree;
}

Tree tree_of(const Hdf5& file) {
  static const std::map<DType, std::string> types{
      {DType::f32, "float32"}, {DType::f16, "float16"}, {DType::bf16, "bfloat16"}};
  Tree tree;
  tree.names.insert(file.names.begin(), file.names.end());
  for (const auto& [path, tensor] : file.datasets) {
    std::string shape;
    for (const auto n : tensor.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(n);
    tree.datasets[path] = join(types.at(tensor.dtype), " (", shape, ")");
  }
  return tree;
}

std::uint32_t crc_of_all(const Hdf5& file) {
  std::string bytes;
  for (const auto& [path, tensor] : file.datasets)
    bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return test::crc32(std::span<const char>(bytes));
}

// Files written by Keras 3.15. The checksums are zlib.crc32 over the bytes of all datasets as h5py gives them, in the
// order of their paths.
TEST(Hdf5, ReadsWhatKerasWrites) {
  const struct {
    const char *folder, *file;
    std::uint32_t crc;
  } cases[] = {{"pg1_f32", "model.weights.h5", 0xd6cc514d},
               {"pg2_bf16", "model.weights.h5", 0x9be15cb8},
               {"pg2_f32_sharded", "model_00000.weights.h5", 0x99270685},
               {"pg2_f32_sharded", "model_00001.weights.h5", 0x83289202}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.folder);
    const Hdf5 file = golden_hdf5(join("keras/", each.folder, '/', each.file));
    const Tree actual = tree_of(file), expected = expected_tree(each.folder, each.file);
    EXPECT_GE(expected.datasets.size(), 10u);
    EXPECT_EQ(actual.datasets, expected.datasets);
    EXPECT_EQ(actual.names, expected.names);
    EXPECT_TRUE(file.skipped.empty());
    EXPECT_EQ(crc_of_all(file), each.crc);
  }
}

// Written by h5py 3.16: texts of fixed length, a header that goes on in another block, types that are skipped.
TEST(Hdf5, ReadsWhatH5pyWrites) {
  const Hdf5 file = golden_hdf5("io/mixed.h5");
  EXPECT_THAT(file.names, ElementsAre(Pair("a", "fixed text"), Pair("others", "日本")));
  EXPECT_EQ(file.datasets.size(), 5u);
  EXPECT_THAT(values(file.datasets.at("a/f2")), ElementsAre(0.5f, -65504.0f, 5.9604645e-8f));
  EXPECT_THAT(values(file.datasets.at("a/f4")), ElementsAre(1.5f, -2.25f, 3.0f, 0.0f, 1e-30f, 6e4f));
  EXPECT_THAT(file.datasets.at("a/f4").shape, ElementsAre(2, 3));
  EXPECT_THAT(values(file.datasets.at("a/scalar")), ElementsAre(7.25f));
  EXPECT_THAT(file.datasets.at("a/scalar").shape, ElementsAre());
  EXPECT_THAT(file.datasets.at("a/empty").shape, ElementsAre(0, 4));
  EXPECT_THAT(values(file.datasets.at("a/bf16")), ElementsAre(1.0f, -0.5f, 3.140625f));
  EXPECT_THAT(file.skipped, ElementsAre(Pair("others/bool", "datatype of class 8"), Pair("others/chunks", "int32"),
                                        Pair("others/f8", "float64"), Pair("others/rank", "int64"),
                                        Pair("others/text", "datatype of class 9"), Pair("others/u1", "uint8"),
                                        Pair("others/v2", "opaque elements of 2 bytes")));
}

// Places in model_00001.weights.h5, found with a hex dump.
class DamagedHdf5 : public ::testing::Test {
 protected:
  void expect_refused(std::size_t at, std::string_view bytes, std::string_view part) {
    std::string file = whole_;
    file.replace(at, bytes.size(), bytes);
    SCOPED_TRACE(join("byte ", at, ", ", part));
    expect_error(ErrorKind::model, "hdf5", part, [&] { read_hdf5(FileBytes::borrow(as_bytes(file)), "x.h5"); });
    expect_error(ErrorKind::model, "hdf5", "x.h5", [&] { read_hdf5(FileBytes::borrow(as_bytes(file)), "x.h5"); });
  }
  // The first place of `bytes`.
  std::size_t find(std::string_view bytes) const { return whole_.find(bytes); }

  std::string whole_ = content("keras/pg2_f32_sharded/model_00001.weights.h5");
};

TEST_F(DamagedHdf5, OtherFormsOfTheFormatAreNamed) {
  const std::size_t type = find(std::string_view("\x11\x20\x1f\0\4", 5));
  const std::size_t fill = find(std::string_view("\5\0\x08\0\1", 5));
  const std::size_t layout = find(std::string_view("\x08\0\x18\0\0\0\0\0\3\1", 10));
  ASSERT_NE(layout, whole_.npos);
  expect_refused(0, "x", "signature");
  expect_refused(8, "\2", "expected superblock version 0, as Keras writes it, got version 2");
  expect_refused(8, "\3", "got version 3");
  expect_refused(13, "\4", "offsets and lengths of 8 bytes, got 4 and 8");
  expect_refused(24, "\1", "base address 0");
  expect_refused(type + 1, "\x21", "big-endian");
  expect_refused(fill, "\xb", "compressed");
  expect_refused(fill, "\7", "other files");
  expect_refused(layout + 8, "\4", "layout version 3, got 4");
  expect_refused(layout + 9, std::string_view("\0", 1), "compact");
  expect_refused(layout + 9, "\2", "chunked");
  expect_refused(layout + 4, "\2", "shared");
  expect_refused(0x60, "\2", "object header at byte 96: expected version 1, got 2");
  expect_refused(0x70, "\2", "newer form of group");
  expect_refused(find("SNOD") + 8 + 16, "\2", "symbolic link");
}

TEST_F(DamagedHdf5, AddressesAndSizesAreChecked) {
  const std::string_view far("\xf8\xff\xff\xff\xff\xff\xff\xff", 8), none("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
  const std::size_t layout = find(std::string_view("\x08\0\x18\0\0\0\0\0\3\1", 10)) + 8;
  const std::size_t space = find(std::string_view("\1\0\x18\0\0\0\0\0\1\1\1", 11)) + 8;
  const std::size_t symbol = find("SNOD") + 8, heap = find("HEAP");
  expect_refused(40, far, "cut off: expected 18446744073709551608 bytes, got 63408");
  expect_refused(64, far, "object header: expected 16 bytes at byte 18446744073709551608 of a file of 63408");
  expect_refused(0x62, "\x09", "messages, got");
  expect_refused(0x68, "\xff\xff\xff\xff", "object header: expected 4294967295 bytes");
  expect_refused(0x72, "\xf8\xff", "header message");
  expect_refused(0x78, far, "B-tree node");
  expect_refused(0x80, far, "local heap");
  expect_refused(0x88 + 6, "\xff\xff", "B-tree node");
  expect_refused(heap + 8, far, "names at byte");
  expect_refused(heap + 24, far, "names at byte");
  expect_refused(symbol, far, "a name at");
  expect_refused(symbol + 8, far, "object header");
  expect_refused(space + 8, far, "the product of a shape is too large");
  expect_refused(space + 8, std::string_view("\1\0\0\0\0\0\0\x40", 8), "the product of its shape is too large");
  expect_refused(space + 1, "\xff", "at most 32 dimensions");
  expect_refused(layout + 2, far, "of a file of 63408");
  expect_refused(layout + 2, std::string_view("\xa8\xf7\0\0\0\0\0\0", 8), "bytes 63400 to ");
  expect_refused(layout + 2, none, "expected data, got none");
  expect_refused(layout + 10, "\1", "bytes for its shape, got");
}

TEST_F(DamagedHdf5, CirclesAndSharedPartsEnd) {
  const std::size_t symbol = find("SNOD") + 8;
  expect_refused(symbol + 8, std::string_view("\x60\0\0\0\0\0\0\0", 8),
                 "object header at byte 96 is referred to twice");
  expect_refused(0x88 + 32, std::string_view("\x88\0\0\0\0\0\0\0", 8), "node at byte 136 is referred to twice");
  // The root's header of nine messages, the first of which continues it where that stands.
  expect_refused(0x62,
                 std::string_view("\x09\0\1\0\0\0\x18\0\0\0\0\0\0\0"
                                  "\x10\0\x10\0\0\0\0\0\x70\0\0\0\0\0\0\0\x18\0\0\0\0\0\0\0",
                                  38),
                 "continuation block at byte 112 is referred to twice");
  const std::string_view head("\x08\0\x18\0\0\0\0\0\3\1", 10);
  const std::size_t first = whole_.find(head) + 10, second = whole_.find(head, first) + 10;
  expect_refused(second, whole_.substr(first, 8), "overlap");
}

}  // namespace
}  // namespace paligemma
