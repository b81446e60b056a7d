#include "report/palette.h"

#include <array>
#include <cmath>

namespace paligemma {
namespace {

// Any two differ by at least 19 in CIELAB as seen with normal sight, protanopia and deuteranopia (simulated after
// Vienot 1999), found by a search over vivid colours. The first are
// rare in photographs.
constexpr std::array<Rgb, 12> kPalette{{{0xff, 0x33, 0xa6},
                                        {0x00, 0xff, 0xcc},
                                        {0xff, 0xa6, 0x00},
                                        {0x00, 0x80, 0xff},
                                        {0xcc, 0x00, 0x00},
                                        {0x33, 0x80, 0x33},
                                        {0xff, 0xa6, 0xff},
                                        {0x00, 0x33, 0xff},
                                        {0xff, 0xcc, 0x80},
                                        {0x80, 0x33, 0xa6},
                                        {0xff, 0x80, 0x80},
                                        {0xff, 0x00, 0xff}}};

// FNV-1a: the same on every machine, as std::hash need not be.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value ^ value >> 32;
}

double luminance(Rgb colour) {
  const auto linear = [](std::uint8_t level) {
    const double c = level / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b);
}

}  // namespace

Rgb label_colour(std::string_view label, std::optional<int> label_index) {
  constexpr std::size_t kHalf = kPalette.size() / 2;
  if (label_index && *label_index >= 0) return kPalette[static_cast<std::size_t>(*label_index) % kPalette.size()];
  return kPalette[kHalf + hash(label) % kHalf];
}

Rgb ink_on(Rgb ground) {
  const double light = luminance(ground) + 0.05;
  return 1.05 / light > light / 0.05 ? Rgb{255, 255, 255} : Rgb{0, 0, 0};
}

}  // namespace paligemma
