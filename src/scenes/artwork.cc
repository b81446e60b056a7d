#include "scenes/artwork.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/embedded.h"
#include "base/error.h"
#include "scenes/world.h"

namespace paligemma {
std::span<const EmbeddedFile> embedded_world();
}

namespace paligemma::world {
namespace {

constexpr int kThingCell = 128, kThingColumns = 8;
constexpr int kLetterCell = 84, kLetterColumns = 12;
constexpr int kMonospacePitch = 46, kHangulPitch = 66;
constexpr int kLatinMiddle = 38, kHangulMiddle = 37;

[[noreturn]] void refuse(std::string_view file, std::string_view expected, std::string_view got) {
  fail(ErrorKind::failure, "artwork", "cannot draw the world: ", file, ": expected ", expected, ", got ", got);
}

std::span<const std::byte> bytes_of(std::string_view name) {
  const auto files = embedded_world();
  const auto found = std::ranges::find(files, name, &EmbeddedFile::name);
  if (found == files.end()) refuse(name, "a file in the program", "none");
  return found->bytes;
}

std::vector<std::string> lines_of(std::string_view name) {
  const auto bytes = bytes_of(name);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> lines;
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1))
    lines.emplace_back(text.substr(0, end));
  return lines;
}

std::vector<std::string> letters_of(std::string_view text) {
  std::vector<std::string> letters;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) letters.emplace_back();
    letters.back() += c;
  }
  return letters;
}

Bitmap clear_bitmap(int width, int height) {
  return {width, height, std::vector<std::uint32_t>(static_cast<std::size_t>(width + 2) * (height + 2))};
}

std::uint32_t& at(Bitmap& bitmap, int x, int y) {
  return bitmap.pixels[static_cast<std::size_t>(y + 1) * (bitmap.width + 2) + x + 1];
}

Bitmap halved(Bitmap& from) {
  Bitmap half = clear_bitmap((from.width + 1) / 2, (from.height + 1) / 2);
  for (int y = 0; y < half.height; ++y)
    for (int x = 0; x < half.width; ++x) {
      // The frame stands in beyond an odd side.
      const std::uint32_t four[] = {at(from, 2 * x, 2 * y), at(from, 2 * x + 1, 2 * y), at(from, 2 * x, 2 * y + 1),
                                    at(from, 2 * x + 1, 2 * y + 1)};
      std::uint32_t even = 0x00020002, odd = 0x00020002;
      for (const std::uint32_t pixel : four) even += pixel & 0x00ff00ff, odd += pixel >> 8 & 0x00ff00ff;
      at(half, x, y) = (even >> 2 & 0x00ff00ff) | (odd >> 2 & 0x00ff00ff) << 8;
    }
  return half;
}

Drawing make_drawing(Bitmap full) {
  Drawing drawing{.ink = {full.width, full.height, 0, 0}};
  for (int y = 0; y < full.height; ++y)
    for (int x = 0; x < full.width; ++x) {
      if (at(full, x, y) >> 24 <= 127) continue;
      auto& [left, top, right, bottom] = drawing.ink;
      left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1),
      bottom = std::max(bottom, y + 1);
    }
  drawing.levels[0] = std::move(full);
  for (std::size_t i = 1; i < drawing.levels.size(); ++i) drawing.levels[i] = halved(drawing.levels[i - 1]);
  return drawing;
}

// A pixel whose hue is near `from` with a hue that is turned as `from` is to become `to`, in degrees. Others stay, and
// grays do; the largest and the smallest of the three channels stay what they are.
std::uint32_t turned_hue(std::uint32_t pixel, int from, int to) {
  constexpr double kNear = 40 / 60.0;
  const int r = pixel & 0xff, g = pixel >> 8 & 0xff, b = pixel >> 16 & 0xff, alpha = static_cast<int>(pixel >> 24);
  const int high = std::max({r, g, b}), low = std::min({r, g, b}), range = high - low;
  if (range == 0 || range * 4 < high || range < alpha / 16) return pixel;
  // Hues are sextants of a circle.
  const auto apart = [](double one, double other) {
    const double away = std::abs(one - other);
    return std::min(away, 6 - away);
  };
  const auto share = [&](int difference) { return static_cast<double>(difference) / range; };
  double hue = high == r ? share(g - b) : high == g ? 2 + share(b - r) : 4 + share(r - g);
  if (hue < 0) hue += 6;
  if (apart(hue, from / 60.0) > kNear) return pixel;
  hue += (to - from) / 60.0;
  if (hue < 0) hue += 6;
  if (hue >= 6) hue -= 6;
  const auto channel = [&](double centre) {
    const double away = std::clamp(apart(hue, centre), 1.0, 2.0);
    return static_cast<std::uint32_t>(low + range * (2 - away) + 0.5);
  };
  return channel(0) | channel(2) << 8 | channel(4) << 16 | (pixel & 0xff000000);
}

Bitmap turned_hue(Bitmap bitmap, int from, int to) {
  for (std::uint32_t& pixel : bitmap.pixels) pixel = turned_hue(pixel, from, to);
  return bitmap;
}

// A cell of an atlas whose colours are premultiplied; `alpha` is gray.
Bitmap cell_of(const Picture& colour, const Picture& alpha, int place, int cell, int columns) {
  Bitmap bitmap = clear_bitmap(cell, cell);
  for (int y = 0; y < cell; ++y)
    for (int x = 0; x < cell; ++x) {
      const std::size_t from =
          3 * (static_cast<std::size_t>(place / columns * cell + y) * colour.width + place % columns * cell + x);
      const std::uint32_t covered = alpha.rgb[from];
      const auto channel = [&](int i) { return std::min<std::uint32_t>(colour.rgb[from + i], covered); };
      at(bitmap, x, y) = channel(0) | channel(1) << 8 | channel(2) << 16 | covered << 24;
    }
  return bitmap;
}

Picture open_atlas(std::string_view name, int cell, int columns, std::size_t cells) {
  Picture picture = decode_picture(bytes_of(name));
  const int rows = static_cast<int>((cells + columns - 1) / columns);
  if (picture.width != cell * columns || picture.height != cell * rows)
    refuse(name, join(cell * columns, " x ", cell * rows, " pixels"), join(picture.width, " x ", picture.height));
  return picture;
}

std::vector<std::vector<Drawing>> open_things() {
  const std::vector<std::string> names = lines_of("things.txt");
  const Picture colour = open_atlas("things.png", kThingCell, kThingColumns, names.size());
  const Picture alpha = open_atlas("things-alpha.png", kThingCell, kThingColumns, names.size());
  std::vector<std::vector<Drawing>> all;
  for (const Thing& thing : things().first(sign_place())) {
    const auto found = std::ranges::find(names, thing.name);
    if (found == names.end()) refuse("things.txt", thing.name, "none");
    Bitmap own = cell_of(colour, alpha, static_cast<int>(found - names.begin()), kThingCell, kThingColumns);
    std::vector<Drawing>& drawings = all.emplace_back();
    if (thing.hue < 0) {
      drawings.push_back(make_drawing(std::move(own)));
      continue;
    }
    for (const Colour& tint : colours().first(kTints))
      drawings.push_back(make_drawing(turned_hue(own, thing.hue, tint.hue)));
  }
  return all;
}

std::vector<Face> open_faces() {
  const std::vector<std::string> lines = lines_of("letters.txt");
  if (lines.size() != kLatinFaces + 1) refuse("letters.txt", "four faces", join(lines.size()));
  std::vector<Face> faces;
  std::size_t cells = 0;
  for (const std::string& line : lines) {
    faces.push_back({.letters = letters_of(line), .middle = kLatinMiddle});
    cells += faces.back().letters.size();
  }
  faces[1].pitch = kMonospacePitch;
  faces[kLatinFaces].pitch = kHangulPitch, faces[kLatinFaces].middle = kHangulMiddle;
  const Picture atlas = open_atlas("letters.png", kLetterCell, kLetterColumns, cells);
  int place = 0;
  for (Face& face : faces)
    for (std::size_t i = 0; i < face.letters.size(); ++i)
      face.drawings.push_back(make_drawing(cell_of(atlas, atlas, place++, kLetterCell, kLetterColumns)));
  return faces;
}

}  // namespace

Artwork open_artwork() { return {.things = open_things(), .faces = open_faces()}; }

}  // namespace paligemma::world
