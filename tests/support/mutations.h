// What a reader may meet instead of a valid file: the file cut off, or with one byte changed.
//
// Whichever it is, the reader gives an answer or an Error of the kind that its files have; it reads nothing behind the
// end, and it asks for no more memory than the size of the file justifies.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "support/allocations.h"

namespace paligemma::test {

inline std::string file_content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// Room for copies that end where no memory is: to read behind the end is a crash, with and without sanitizers.
class Fenced {
 public:
  explicit Fenced(std::size_t most) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    size_ = (most + page - 1) / page * page + page;
    void* room = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) throw std::bad_alloc();
    start_ = static_cast<char*>(room);
    fence_ = start_ + size_ - page;
    ::mprotect(fence_, page, PROT_NONE);
  }
  ~Fenced() { ::munmap(start_, size_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;

  // Valid until the next call.
  std::span<char> copy(std::string_view text) {
    if (!text.empty()) std::memcpy(fence_ - text.size(), text.data(), text.size());
    return {fence_ - text.size(), text.size()};
  }

 private:
  std::size_t size_;
  char *start_, *fence_;
};

struct Mutations {
  std::size_t changed = 256;           // about how many places are changed, each to several values
  std::size_t memory = 1 << 20;        // bytes that a reader may hold whatever the size of the file,
  std::size_t memory_for_a_byte = 64;  // and for each byte of it
};

// The lengths that a file is cut to: all up to 4 KiB, and 64 behind.
inline std::vector<std::size_t> cuts(std::size_t size) {
  constexpr std::size_t kEvery = 4096, kBehind = 64;
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n < std::min(size, kEvery); ++n) lengths.push_back(n);
  if (size > kEvery)
    for (std::size_t i = 0; i < kBehind; ++i) lengths.push_back(kEvery + (size - kEvery) * i / kBehind);
  return lengths;
}

// The places that are changed: half of them in front, where headers are, the others over the whole file.
inline std::vector<std::size_t> places(std::size_t size, std::size_t count) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < std::min(size, count / 2); ++i) result.push_back(i);
  for (std::size_t i = 0; i < count - count / 2; ++i) result.push_back(size * i / (count - count / 2));
  return result;
}

// Calls read(std::span<const std::byte>), which gives a value that can be compared, with `valid` as it is, cut and
// changed. What a cut file gives, if it gives anything, is what the whole one gives.
template <class Read>
void expect_survives(std::string_view valid, ErrorKind kind, const Read& read, const Mutations& mutations = {}) {
  using Answer = decltype(read(std::span<const std::byte>()));
  Fenced room(valid.size());
  const std::size_t limit = mutations.memory + mutations.memory_for_a_byte * valid.size();
  const auto answer = [&](std::span<const char> bytes) {
    std::optional<Answer> result;
    const std::size_t peak = peak_bytes([&] {
      try {
        result = read(std::as_bytes(bytes));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        EXPECT_LT(std::string_view(error.what()).size(), 2000u);
      }
    });
    EXPECT_LE(peak, limit);
    return result;
  };

  const auto whole = answer(room.copy(valid));
  ASSERT_TRUE(whole.has_value());
  for (const std::size_t length : cuts(valid.size())) {
    SCOPED_TRACE("cut to " + std::to_string(length));
    const auto cut = answer(room.copy(valid.substr(0, length)));
    EXPECT_TRUE(!cut || *cut == *whole);
    if (::testing::Test::HasFailure()) return;
  }
  const std::span<char> bytes = room.copy(valid);
  for (const std::size_t place : places(valid.size(), mutations.changed)) {
    const char before = bytes[place];
    for (const int value : {before ^ 1, before ^ 0x80, before + 1, 0, 0xff, int{'9'}}) {
      SCOPED_TRACE("byte " + std::to_string(place) + " changed to " + std::to_string(value & 0xff));
      bytes[place] = static_cast<char>(value);
      answer(bytes);
      if (::testing::Test::HasFailure()) return;
    }
    bytes[place] = before;
  }
}

}  // namespace paligemma::test
