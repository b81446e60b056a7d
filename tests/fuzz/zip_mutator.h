// Changes bytes of a zip and then sets the checksums of its stored entries right, without which libzip refuses nearly
// all of them. For the one file of a target.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <span>

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

}  // namespace zip_mutator

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  const std::size_t changed = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 4 != 0) zip_mutator::repair({data, changed});
  return changed;
}
