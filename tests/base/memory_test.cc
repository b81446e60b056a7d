#include "base/memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace paligemma {
namespace {

constexpr std::size_t kBytes = std::size_t{64} << 20;

TEST(Memory, PeakIsOfMemoryThatWasGivenBack) {
  forget_peak_memory();
  const std::uint64_t before = peak_memory();
  {
    const std::vector<char> touched(kBytes, 1);
    asm volatile("" : : "r"(touched.data()) : "memory");  // or it would never be made
  }
  EXPECT_GE(peak_memory(), before + kBytes / 2);
  EXPECT_GT(before, 0u);
}

}  // namespace
}  // namespace paligemma
