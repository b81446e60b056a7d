#include "base/embedded.h"

#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

namespace paligemma {

std::span<const EmbeddedFile> embedded_sample();  // three files of this folder

namespace {

TEST(Embedded, FilesAreThoseOnDisk) {
  const auto files = embedded_sample();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].name, "dtype_test.cc");
  EXPECT_EQ(files[1].name, "empty");
  EXPECT_EQ(files[2].name, "CMakeLists.txt");
  for (const EmbeddedFile& file : files) {
    std::ifstream in(SAMPLE_DIR "/" + std::string(file.name), std::ios::binary);
    const std::string expected{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()), expected);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.bytes.data()) % 64, 0u);
  }
}

TEST(Version, IsThatOfTheProject) { EXPECT_EQ(version(), PROJECT_VERSION); }

}  // namespace
}  // namespace paligemma
