// Netpbm's PBM, PGM and PPM, plain (P1 to P3) and binary (P4 to P6), up to 16 bits a sample.
// https://netpbm.sourceforge.net/doc/ppm.html
#include <cmath>
#include <cstring>

#include "image/formats.h"

namespace paligemma {
namespace {

// White space of the format; '#' begins a comment that ends with its line and may lie within a number.
class Scanner {
 public:
  explicit Scanner(Bytes file) : file_(file) {}

  bool at_end() const { return at_ == file_.size(); }
  std::size_t left() const { return file_.size() - at_; }
  unsigned byte() {
    if (at_end()) fail_decode("truncated PNM");
    return std::to_integer<unsigned>(file_[at_++]);
  }

  // The next character that is no white space.
  unsigned digit() {
    unsigned c = text();
    while (is_space(c)) c = text();
    if (c < '0' || c > '9') fail_decode("damaged PNM: expected a digit, got byte ", c);
    return c - '0';
  }

  // Decimal, with the one white space (or the end) behind it.
  std::uint32_t number() {
    std::uint32_t value = digit();
    for (int digits = 1; !at_end(); ++digits) {
      const unsigned c = text();
      if (is_space(c)) break;
      if (c < '0' || c > '9' || digits == 9) fail_decode("damaged PNM: expected a number of up to 9 digits");
      value = value * 10 + (c - '0');
    }
    return value;
  }

 private:
  static bool is_space(unsigned c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  // A byte of the text without comments; a comment at the very end reads as white space.
  unsigned text() {
    unsigned c = byte();
    while (c == '#') {
      while (c != '\n' && c != '\r') {
        if (at_end()) return ' ';
        c = byte();
      }
      if (at_end()) return ' ';
      c = byte();
    }
    return c;
  }

  Bytes file_;
  std::size_t at_ = 0;
};

// Rounds to nearest, halves to even: Python's round.
std::uint8_t scale(std::uint32_t value, std::uint32_t max, double to) {
  return static_cast<std::uint8_t>(std::min(std::nearbyint(value / static_cast<double>(max) * to), 255.0));
}

void read_bits(Scanner& in, bool plain, Picture& picture) {
  std::uint8_t* to = picture.rgb.data();
  for (int y = 0; y < picture.height; ++y) {
    unsigned bits = 0;
    for (int x = 0; x < picture.width; ++x, to += 3) {
      unsigned black = 0;
      if (plain) {
        black = in.digit();
        if (black > 1) fail_decode("damaged PNM: expected 0 or 1, got ", black);
      } else {
        bits = x % 8 == 0 ? in.byte() : bits << 1;
        black = bits >> 7 & 1;
      }
      std::memset(to, black != 0 ? 0 : 255, 3);
    }
  }
}

}  // namespace

// Gray of more than 8 bits is scaled to 16 and then clipped at 255; 16-bit colour is scaled to 8. So does Pillow.
Decoded decode_pnm(Bytes file, std::int64_t max_pixels) {
  Scanner in(file);
  in.byte();
  const unsigned kind = in.byte() - '0';
  const bool plain = kind <= 3;
  const int channels = kind % 3 == 0 ? 3 : 1;
  in.byte();  // white space, as the sniffer saw
  const std::int64_t width = in.number(), height = in.number();
  const bool bits = kind % 3 == 1;
  const std::uint32_t max = bits ? 1 : in.number();
  if (max == 0 || max > 65535) fail_decode("damaged PNM: expected a largest value of 1 to 65535, got ", max);
  check_size(width, height, max_pixels);
  const bool wide = max > 255;
  const std::uint64_t row = bits && !plain ? (width + 7) / 8 : width * channels * (wide && !plain ? 2 : 1);
  if (in.left() / row < static_cast<std::uint64_t>(height)) {
    fail_decode("truncated PNM: ", width, "x", height, " pixels cannot be in ", file.size(), " bytes");
  }
  Picture picture = blank_picture(width, height);
  if (bits) {
    read_bits(in, plain, picture);
    return {std::move(picture)};
  }
  const double to = wide && channels == 1 ? 65535 : 255;
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3 / channels) {
    const std::uint32_t value = plain ? in.number() : wide ? in.byte() << 8 | in.byte() : in.byte();
    if (plain && value > max) fail_decode("damaged PNM: expected values up to ", max, ", got ", value);
    std::memset(&picture.rgb[i], scale(value, max, to), 3 / channels);
  }
  return {std::move(picture)};
}

}  // namespace paligemma
