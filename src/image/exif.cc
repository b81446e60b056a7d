#include "image/exif.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace paligemma {
namespace {

constexpr std::string_view kPrefix{"Exif\0\0", 6};
constexpr unsigned kOrientation = 0x0112;
constexpr unsigned kShort = 3, kLong = 4;

}  // namespace

int exif_orientation(std::span<const std::byte> exif) {
  std::string_view data(reinterpret_cast<const char*>(exif.data()), exif.size());
  while (data.starts_with(kPrefix)) data.remove_prefix(kPrefix.size());
  const bool little = data.starts_with(std::string_view("II*\0", 4));
  if (!little && !data.starts_with(std::string_view("MM\0*", 4))) return 1;

  // 0 past the end, which is no tag, no count and no orientation.
  const auto number = [&](std::size_t at, int bytes) {
    std::uint32_t value = 0;
    if (at > data.size() || data.size() - at < static_cast<std::size_t>(bytes)) return value;
    for (int i = 0; i < bytes; ++i)
      value = value << 8 | static_cast<std::uint8_t>(data[at + (little ? bytes - 1 - i : i)]);
    return value;
  };
  const std::size_t directory = number(4, 4);
  const std::uint32_t entries = number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (number(entry, 2) != kOrientation) continue;
    const std::uint32_t type = number(entry + 2, 2);
    const std::uint32_t value = type == kShort ? number(entry + 8, 2) : type == kLong ? number(entry + 8, 4) : 0;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Picture turn_upright(Picture picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const std::ptrdiff_t w = picture.width, h = picture.height;
  // Where the pixel (x, y) of the upright picture lies in the stored one: start + x * right + y * down.
  struct Walk {
    std::ptrdiff_t start, right, down;
  };
  const Walk walks[] = {
      {w - 1, -1, w},        // 2: mirrored left to right
      {w * h - 1, -1, -w},   // 3: turned by 180 degrees
      {w * (h - 1), 1, -w},  // 4: mirrored top to bottom
      {0, w, 1},             // 5: mirrored along the main diagonal
      {w * (h - 1), -w, 1},  // 6: to be turned clockwise
      {w * h - 1, -w, -1},   // 7: mirrored along the other diagonal
      {w - 1, w, -1},        // 8: to be turned counterclockwise
  };
  const Walk walk = walks[orientation - 2];
  Picture upright{
      .width = picture.width, .height = picture.height, .rgb = std::vector<std::uint8_t>(picture.rgb.size())};
  if (orientation >= 5) std::swap(upright.width, upright.height);
  std::uint8_t* to = upright.rgb.data();
  for (std::ptrdiff_t y = 0; y < upright.height; ++y) {
    const std::uint8_t* from = picture.rgb.data() + (walk.start + y * walk.down) * 3;
    for (int x = 0; x < upright.width; ++x, to += 3) std::memcpy(to, from + x * walk.right * 3, 3);
  }
  return upright;
}

}  // namespace paligemma
