// Windows and OS/2 bitmaps: 1, 4, 8, 16, 24 and 32 bits, bit fields, run lengths, bottom-up and top-down.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "image/formats.h"

namespace paligemma {
namespace {

enum Compression : std::uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };

// Little-endian, refused past the end.
std::uint32_t number(Bytes file, std::size_t at, int bytes) {
  if (at > file.size() || file.size() - at < static_cast<std::size_t>(bytes)) fail_decode("truncated BMP");
  std::uint32_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(file[at + i]);
  return value;
}

struct Header {
  std::int64_t width = 0, height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;
  std::uint32_t compression = kRaw;
  std::array<std::uint32_t, 3> masks{};  // red, green, blue of a 16- or 32-bit pixel
  std::size_t palette = 0;               // where it lies in the file
  std::size_t palette_entry = 4;         // bytes: blue, green, red, unused
  std::size_t colors = 0;
  std::size_t pixels = 0;  // where they lie in the file
};

// Field 10 of the file header is where the pixels begin; the information header, of a size that tells its version,
// follows at 14, then the masks of bit fields where the header is too short to hold them, then the palette.
Header read_header(Bytes file) {
  const std::uint32_t size = number(file, 14, 4);
  Header header;
  header.pixels = number(file, 10, 4);
  header.palette = std::size_t{14} + size;
  if (size == 12) {
    header.width = number(file, 18, 2), header.height = number(file, 20, 2);
    header.bits = number(file, 24, 2);
    header.palette_entry = 3;
  } else if (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) {
    header.width = static_cast<std::int32_t>(number(file, 18, 4));
    header.height = static_cast<std::int32_t>(number(file, 22, 4));
    header.bits = number(file, 28, 2);
    header.compression = number(file, 30, 4);
    header.colors = number(file, 46, 4);
    if (header.height < 0) header.top_down = true, header.height = -header.height;
  } else {
    fail_decode("unsupported BMP: expected a header of 12, 40, 52, 56, 64, 108 or 124 bytes, got ", size);
  }
  if (header.compression == kBitFields) {
    for (int c = 0; c < 3; ++c) header.masks[c] = number(file, 54 + 4 * c, 4);
    if (size == 40) header.palette += 12;
  }
  if (header.compression != kBitFields || header.masks == std::array<std::uint32_t, 3>{}) {
    header.masks = header.bits == 16 ? std::array{0x7c00u, 0x3e0u, 0x1fu} : std::array{0xff0000u, 0xff00u, 0xffu};
  }
  if (header.bits <= 8) {
    if (header.colors == 0) header.colors = std::size_t{1} << header.bits;
    if (header.colors > 65536) fail_decode("unsupported BMP: a palette of ", header.colors, " colours");
  }
  const bool fits = header.compression == kRaw         ? true
                    : header.compression == kRle8      ? header.bits == 8
                    : header.compression == kRle4      ? header.bits == 4
                    : header.compression == kBitFields ? header.bits >= 16
                                                       : false;
  const bool known = header.bits == 1 || header.bits == 4 || header.bits == 8 || header.bits == 16 ||
                     header.bits == 24 || header.bits == 32;
  if (!known || !fits) fail_decode("unsupported BMP: ", header.bits, " bits, compression ", header.compression);
  const std::size_t palette_bytes = header.bits <= 8 ? header.palette_entry * header.colors : 0;
  if (header.pixels == 0) header.pixels = header.palette + palette_bytes;
  return header;
}

Palette read_palette(Bytes file, const Header& header) {
  Palette palette{};
  const std::size_t count = std::min(header.colors, palette.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t color = number(file, header.palette + i * header.palette_entry, 3);
    palette[i] = {static_cast<std::uint8_t>(color >> 16), static_cast<std::uint8_t>(color >> 8),
                  static_cast<std::uint8_t>(color)};
  }
  continue_gray(palette, count);
  return palette;
}

// Run lengths as palette indices in the order of the file, one a byte. What a delta or an early end leaves out is 0.
// Runs stop at the end of their row, absolute pixels do not: so does Pillow.
std::vector<std::uint8_t> read_runs(Bytes file, const Header& header) {
  const bool nibbles = header.compression == kRle4;
  const std::size_t width = static_cast<std::size_t>(header.width), total = width * header.height;
  std::vector<std::uint8_t> pixels;
  std::size_t at = header.pixels, x = 0;
  const auto pixel = [&](unsigned byte, std::size_t i) {
    return static_cast<std::uint8_t>(nibbles ? (i % 2 == 0 ? byte >> 4 : byte & 15u) : byte);
  };
  while (pixels.size() < total) {
    const std::size_t count = number(file, at, 1);
    const unsigned byte = number(file, at + 1, 1);
    at += 2;
    if (count > 0) {
      const std::size_t run = std::min(count, width - std::min(x, width));
      for (std::size_t i = 0; i < run && pixels.size() < total; ++i) pixels.push_back(pixel(byte, i));
      x += run;
    } else if (byte == 0) {
      pixels.resize((pixels.size() + width - 1) / width * width);
      x = 0;
    } else if (byte == 1) {
      break;
    } else if (byte == 2) {
      const std::size_t skip = number(file, at, 1) + number(file, at + 1, 1) * width;
      at += 2;
      pixels.resize(std::min(total, pixels.size() + skip));
      x = pixels.size() % width;
    } else {
      for (std::size_t i = 0; i < byte && pixels.size() < total; ++i) {
        pixels.push_back(pixel(number(file, at + (nibbles ? i / 2 : i), 1), i));
      }
      x += byte;
      at += nibbles ? (byte + 1) / 2 : byte;
      at += at % 2;
    }
  }
  pixels.resize(total);
  return pixels;
}

// The value of a channel, 0 to 255.
std::uint8_t channel(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / (mask >> shift));
}

}  // namespace

Decoded decode_bmp(Bytes file, std::int64_t max_pixels) {
  const Header header = read_header(file);
  check_size(header.width, header.height, max_pixels);
  const std::size_t width = static_cast<std::size_t>(header.width), height = static_cast<std::size_t>(header.height);
  const bool runs = header.compression == kRle8 || header.compression == kRle4;
  const std::size_t row_bytes = (width * header.bits + 7) / 8;
  const std::size_t stride = (row_bytes + 3) / 4 * 4;  // the last row may lack its padding
  if (header.pixels > file.size() || (!runs && (file.size() - header.pixels + stride - row_bytes) / stride < height)) {
    fail_decode("truncated BMP: ", width, "x", height, " pixels of ", header.bits, " bits cannot be in ", file.size(),
                " bytes");
  }
  const Palette palette = header.bits <= 8 ? read_palette(file, header) : Palette{};
  const std::vector<std::uint8_t> indices = runs ? read_runs(file, header) : std::vector<std::uint8_t>();

  Picture picture = blank_picture(header.width, header.height);
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* row =
        runs ? &indices[y * width] : reinterpret_cast<const std::uint8_t*>(file.data()) + header.pixels + y * stride;
    std::uint8_t* to = &picture.rgb[(header.top_down ? y : height - 1 - y) * width * 3];
    for (std::size_t x = 0; x < width; ++x, to += 3) {
      if (header.bits <= 8) {
        const std::size_t bit = x * header.bits;
        const unsigned index = runs ? row[x] : row[bit / 8] >> (8 - header.bits - bit % 8) & ((1u << header.bits) - 1);
        std::memcpy(to, palette[index].data(), 3);
      } else if (header.bits == 24) {
        to[0] = row[x * 3 + 2], to[1] = row[x * 3 + 1], to[2] = row[x * 3];
      } else {
        std::uint32_t pixel = 0;
        for (std::size_t i = header.bits / 8; i-- > 0;) pixel = pixel << 8 | row[x * (header.bits / 8) + i];
        for (int c = 0; c < 3; ++c) to[c] = channel(pixel, header.masks[c]);
      }
    }
  }
  return {std::move(picture)};
}

}  // namespace paligemma
