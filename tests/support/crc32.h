// CRC-32 of bytes, as Python's zlib.crc32: what the expected bytes of a large result are held by.
#pragma once

#include <cstdint>
#include <span>

namespace paligemma::test {

template <class T>
std::uint32_t crc32(std::span<const T> values) {
  std::uint32_t crc = 0xffffffff;
  for (const std::byte byte : std::as_bytes(values)) {
    crc ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

}  // namespace paligemma::test
