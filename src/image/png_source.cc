#include "image/png_source.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>

namespace paligemma {
namespace {

constexpr std::size_t kHeaderEnd = 33;  // the signature, and IHDR with its length, name and checksum
constexpr std::string_view kSignature{"\x89PNG\r\n\x1a\n", 8}, kBegin{"tEXtSource\0", 11};
constexpr std::size_t kNameBytes = 4;  // of a chunk

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

}  // namespace

std::vector<std::byte> with_source(std::span<const std::byte> png, std::string_view source) {
  const std::string chunk = std::string(kBegin) + std::string(source);
  const auto checksum = static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(chunk.data()), static_cast<uInt>(chunk.size())));
  const std::string whole =
      big_endian(static_cast<std::uint32_t>(chunk.size() - kNameBytes)) + chunk + big_endian(checksum);
  const auto bytes = std::as_bytes(std::span(whole));
  std::vector<std::byte> out(png.size() + bytes.size());
  auto at = std::ranges::copy(png.first(kHeaderEnd), out.begin()).out;
  at = std::ranges::copy(bytes, at).out;
  std::ranges::copy(png.subspan(kHeaderEnd), at);
  return out;
}

std::string source_of(std::span<const std::byte> begin) {
  const std::string_view text(reinterpret_cast<const char*>(begin.data()), begin.size());
  if (!text.starts_with(kSignature) || text.size() < kHeaderEnd + 4) return {};
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(text[kHeaderEnd + i]);
  const std::string_view chunk = text.substr(kHeaderEnd + 4);
  if (!chunk.starts_with(kBegin) || length + kNameBytes > chunk.size() || length + kNameBytes < kBegin.size())
    return {};
  return std::string(chunk.substr(kBegin.size(), length + kNameBytes - kBegin.size()));
}

}  // namespace paligemma
