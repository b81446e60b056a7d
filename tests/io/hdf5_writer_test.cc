#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "contents.h"
#include "io/hdf5.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::string written(const Hdf5Layout& layout, const std::vector<std::string>& data) {
  std::string file;
  write_hdf5(
      layout, [&](std::size_t i, const ByteSink& put) { put(as_bytes(data[i])); },
      [&](std::span<const std::byte> piece) {
        file.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      });
  return file;
}

Hdf5 hdf5_of(const std::string& file) { return read_hdf5(FileBytes::borrow(as_bytes(file)), "written"); }

void keep(const std::string& file, std::string name) {
  const char* folder = std::getenv("PALIGEMMA_KEEP_HDF5");
  if (!folder) return;
  std::replace(name.begin(), name.end(), '/', '-');
  std::ofstream(join(folder, '/', name), std::ios::binary) << file;
}

// A Keras file read and written again holds the same. To look at what is written with h5py or Keras, run this test with
// PALIGEMMA_KEEP_HDF5=FOLDER (docs/hacking.md).
TEST(Hdf5Writer, WritesWhatItReads) {
  for (const std::string name : {"pg1_f32/model.weights.h5", "pg2_bf16/model.weights.h5",
                                 "pg2_f32_sharded/model_00000.weights.h5", "pg2_f32_sharded/model_00001.weights.h5"}) {
    SCOPED_TRACE(name);
    const Hdf5 original = read_hdf5(FileBytes::map(GOLDEN_DIR "/keras/" + name, ErrorKind::model), name);
    Hdf5Layout layout{.names = {original.names.begin(), original.names.end()}};
    std::vector<std::string> data;
    for (const auto& [path, tensor] : original.datasets) {
      layout.datasets.push_back({path, tensor.dtype, tensor.shape});
      data.emplace_back(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    }
    const std::string file = written(layout, data);
    const Hdf5 again = hdf5_of(file);
    EXPECT_EQ(again.names, original.names);
    EXPECT_TRUE(again.skipped.empty());
    ASSERT_EQ(again.datasets.size(), original.datasets.size());
    std::size_t i = 0;
    for (const auto& [path, tensor] : original.datasets) {
      const HostTensor& copy = again.datasets.at(path);
      EXPECT_EQ(copy.dtype, tensor.dtype) << path;
      EXPECT_EQ(copy.shape, tensor.shape) << path;
      EXPECT_EQ(data[i++], std::string(reinterpret_cast<const char*>(copy.bytes.data()), copy.bytes.size())) << path;
    }
    keep(file, name);
  }
}

// More children than one node of a B-tree holds (256), and than a node of nodes (8,192); more texts than one heap
// holds.
TEST(Hdf5Writer, WideGroupsAndManyTexts) {
  Hdf5Layout layout;
  std::vector<std::string> data;
  for (int i = 0; i < 9000; ++i) {
    layout.datasets.push_back({join("many/", i), i % 2 ? DType::bf16 : DType::f16, {1}});
    data.push_back({static_cast<char>(i), static_cast<char>(i >> 8)});
    if (i < 300) layout.names[join("groups/", i, "/vars")] = join("layer_", i);
  }
  layout.names["empty"] = "";
  layout.names["long"] = std::string(10'000, 'x');
  const std::string file = written(layout, data);
  const Hdf5 again = hdf5_of(file);
  ASSERT_EQ(again.datasets.size(), 9000u);
  for (int i = 0; i < 9000; ++i) {
    const HostTensor& tensor = again.datasets.at(join("many/", i));
    EXPECT_EQ(tensor.dtype, i % 2 ? DType::bf16 : DType::f16);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()), data[i]) << i;
  }
  layout.names.erase("empty");
  EXPECT_EQ((std::map<std::string, std::string>(again.names.begin(), again.names.end())), layout.names);
  keep(file, "wide.h5");
}

TEST(Hdf5Writer, ScalarsAndEmptyDatasets) {
  const Hdf5Layout layout{
      .datasets = {{"scalar", DType::f32, {}}, {"none", DType::f32, {0, 3}}, {"odd", DType::f16, {3}}}};
  const std::string file = written(layout, {"abcd", "", "123456"});
  const Hdf5 again = hdf5_of(file);
  EXPECT_THAT(again.datasets.at("scalar").shape, ElementsAre());
  EXPECT_EQ(again.datasets.at("scalar").bytes.size(), 4u);
  EXPECT_THAT(again.datasets.at("none").shape, ElementsAre(0, 3));
  EXPECT_TRUE(again.datasets.at("none").bytes.empty());
  EXPECT_EQ(std::to_integer<char>(again.datasets.at("odd").bytes[5]), '6');
  EXPECT_TRUE(hdf5_of(written({}, {})).datasets.empty());
  keep(file, "small.h5");
}

TEST(Hdf5Writer, RefusesMistakesOfItsCaller) {
  const auto refused = [](std::string_view part, const Hdf5Layout& layout, const std::vector<std::string>& data) {
    expect_error(ErrorKind::failure, "hdf5", part, [&] { written(layout, data); });
  };
  refused("a is there twice", {.datasets = {{"a", DType::f32, {1}}, {"a", DType::f32, {1}}}}, {"1234", "1234"});
  refused("a is there twice", {.datasets = {{"a", DType::f32, {1}}}, .names = {{"a", "x"}}}, {"1234"});
  refused("goes through", {.datasets = {{"a", DType::f32, {1}}, {"a/b", DType::f32, {1}}}}, {"1234", "1234"});
  refused("goes through", {.datasets = {{"a//b", DType::f32, {1}}}}, {"1234"});
  refused("goes through", {.datasets = {{"/a", DType::f32, {1}}}}, {"1234"});
  refused("expected 4 bytes of a, got 3", {.datasets = {{"a", DType::f32, {1}}}}, {"123"});
  refused("expected 4 bytes of a, got 5", {.datasets = {{"a", DType::f32, {1}}}}, {"12345"});
  refused("too large", {.datasets = {{"a", DType::f32, {1LL << 62}}}}, {""});
  refused("too large", {.datasets = {{"a", DType::f32, {-1}}}}, {""});
}

// Only the description and the last dataset are stored; the 5 GiB between them are a hole.
TEST(Hdf5Writer, DatasetsBeyondFourGigabytes) {
  const Hdf5Layout layout{.datasets = {{"large", DType::f32, {5, 1 << 28}}, {"last", DType::f32, {1}}}};
  std::string path = ::testing::TempDir() + "paligemma-hdf5-XXXXXX";
  const int out = ::mkstemp(path.data());
  ASSERT_GE(out, 0);
  const std::string mebibyte(1 << 20, '\0');
  write_hdf5(
      layout,
      [&](std::size_t i, const ByteSink& put) {
        if (i == 0)
          for (int n = 0; n < 5 * 1024; ++n) put(as_bytes(mebibyte));
        else
          put(as_bytes("\1\2\3\4"));
      },
      [&](std::span<const std::byte> piece) {
        if (piece.size() == mebibyte.size())
          EXPECT_GE(::lseek(out, static_cast<off_t>(piece.size()), SEEK_CUR), 0);
        else
          EXPECT_EQ(::write(out, piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
      });
  ::close(out);
  {
    const Hdf5 file = read_hdf5(FileBytes::map(path, ErrorKind::model), "large");
    const HostTensor &large = file.datasets.at("large"), &last = file.datasets.at("last");
    EXPECT_EQ(large.bytes.size(), std::uint64_t{5} << 30);
    EXPECT_EQ(std::to_integer<int>(large.bytes.back()), 0);
    EXPECT_GE(last.bytes.data() - file.file.bytes().data(), std::ptrdiff_t{5} << 30);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(last.bytes.data()), 4), "\1\2\3\4");
  }
  if (!std::getenv("PALIGEMMA_KEEP_HDF5")) ::unlink(path.c_str());
}

}  // namespace
}  // namespace paligemma
