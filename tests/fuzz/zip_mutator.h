// Changes bytes of a zip, or the shape of an array in it, and then sets the checksums of its stored entries right,
// without which libzip refuses nearly all of them. For the one file of a target.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace zip_mutator {

// Little-endian; 0 past the end.
inline std::uint32_t number(std::span<const std::uint8_t> file, std::size_t at, int bytes) {
  std::uint32_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | (at + i < file.size() ? file[at + i] : 0u);
  return value;
}

// Entry of the central directory: signature, at 10 the method, 16 the checksum, 20 the size, 42 where its local header
// lies, of 30 bytes and two fields whose lengths end it.
inline void repair(std::span<std::uint8_t> file) {
  for (std::size_t at = 0; at + 46 <= file.size(); ++at) {
    if (number(file, at, 4) != 0x02014b50 || number(file, at + 10, 2) != 0) continue;
    const std::size_t local = number(file, at + 42, 4), size = number(file, at + 20, 4);
    const std::size_t begin = local + 30 + number(file, local + 26, 2) + number(file, local + 28, 2);
    if (begin > file.size() || size > file.size() - begin) continue;
    const auto crc = static_cast<std::uint32_t>(crc32_z(0, file.data() + begin, size));
    for (int i = 0; i < 4; ++i) file[at + 16 + i] = static_cast<std::uint8_t>(crc >> 8 * i);
  }
}

using Random = std::minstd_rand;

inline void change(std::vector<std::string>& sizes, Random& random) {
  const auto any = [&] { return sizes.begin() + static_cast<std::ptrdiff_t>(random() % sizes.size()); };
  const auto kind = random() % 4;
  if (kind == 0 || sizes.empty())
    sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(random() % (sizes.size() + 1)), "1");
  else if (kind == 1)
    std::iter_swap(any(), any());
  else if (kind == 2)
    sizes.erase(any());
  else
    *any() = std::to_string(random() % 4);
}

// The header stays as long as it is: the line that holds the shape ends in spaces.
inline void change_shape(std::span<std::uint8_t> file, Random& random) {
  constexpr std::string_view kKey = "'shape': (";
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  std::vector<std::size_t> places;
  for (auto at = text.find(kKey); at != text.npos; at = text.find(kKey, at + 1)) places.push_back(at + kKey.size());
  if (places.empty()) return;
  const std::size_t begin = places[random() % places.size()], line = text.find('\n', begin);
  if (line == text.npos) return;
  std::vector<std::string> sizes;
  for (std::size_t at = begin; at < line && text[at] != ')';) {
    const std::size_t end = std::min(text.find_first_of(",)", at), line);
    if (end > at) sizes.emplace_back(text.substr(at, end - at));
    at = std::min(text.find_first_not_of(", ", end), line);
  }
  change(sizes, random);
  std::string tuple;
  for (const std::string& size : sizes) tuple += size + ",";
  tuple += "), }";
  if (tuple.size() > line - begin) return;
  tuple.resize(line - begin, ' ');
  std::ranges::copy(tuple, file.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace zip_mutator

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  zip_mutator::Random random(seed);
  if (random() % 4 == 0)
    zip_mutator::change_shape({data, size}, random);
  else
    size = LLVMFuzzerMutate(data, size, max_size);
  if (random() % 4 != 0) zip_mutator::repair({data, size});
  return size;
}
