// A scene -> its picture: the backdrop, what lies and stands on the ground, then figure before figure.
#include <algorithm>
#include <cmath>

#include "scenes/scene.h"
#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr double kPoleWide = 0.15;  // ems; what layout.cc keeps free is a little more

Picture lit_backdrop(const Picture& painted, bool mirrored, int light) {
  Picture picture{
      .width = painted.width, .height = painted.height, .rgb = std::vector<std::uint8_t>(painted.rgb.size())};
  std::array<std::uint8_t, 256> table;
  for (int i = 0; i < 256; ++i)
    table[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(std::min(i * light >> 8, 255));
  const int width = painted.width;
  for (int y = 0; y < painted.height; ++y) {
    const std::uint8_t* from = painted.rgb.data() + 3 * static_cast<std::ptrdiff_t>(y) * width;
    std::uint8_t* to = picture.rgb.data() + 3 * static_cast<std::ptrdiff_t>(y) * width;
    for (int x = 0; x < width; ++x, to += 3)
      for (int i = 0; i < 3; ++i) to[i] = table[from[3 * (mirrored ? width - 1 - x : x) + i]];
  }
  return picture;
}

// Darkens an ellipse that lies on the ground, less and less towards its edge. In pixels.
void darken(Picture& picture, double x, double y, double reach_x, double reach_y) {
  constexpr double kDarkest = 0.32;
  if (reach_x <= 0 || reach_y <= 0) return;
  const auto bound = [&](double at) { return std::clamp(static_cast<int>(std::floor(at)), 0, picture.width); };
  for (int row = bound(y - reach_y); row < bound(y + reach_y + 1); ++row)
    for (int column = bound(x - reach_x); column < bound(x + reach_x + 1); ++column) {
      const double dx = (column + 0.5 - x) / reach_x, dy = (row + 0.5 - y) / reach_y;
      const double inside = 1 - dx * dx - dy * dy;
      if (inside <= 0) continue;
      const int keep = 256 - static_cast<int>(256 * kDarkest * std::min(1.0, 1.6 * inside));
      std::uint8_t* pixel = picture.rgb.data() + 3 * (static_cast<std::size_t>(row) * picture.width + column);
      for (int i = 0; i < 3; ++i) pixel[i] = static_cast<std::uint8_t>(pixel[i] * keep >> 8);
    }
}

// A post of gray steel, round: lighter on one side.
void paint_pole(Picture& picture, const Figure& sign) {
  const double side = picture.width;
  const int wide = std::max(2, static_cast<int>(std::floor(kPoleWide * sign.scale * side + 0.5)));
  const int left = static_cast<int>(std::floor(sign.x * side + 0.5)) - wide / 2;
  const int top = static_cast<int>(std::floor(sign.y * side)), bottom = static_cast<int>(std::floor(sign.foot * side));
  for (int y = std::max(top, 0); y < std::min(bottom, picture.height); ++y)
    for (int x = std::max(left, 0); x < std::min(left + wide, picture.width); ++x) {
      const int shade = 168 - 84 * (x - left) / wide;
      std::uint8_t* pixel = picture.rgb.data() + 3 * (static_cast<std::size_t>(y) * picture.width + x);
      pixel[0] = pixel[1] = static_cast<std::uint8_t>(shade), pixel[2] = static_cast<std::uint8_t>(shade + 6);
    }
}

}  // namespace

Picture draw(const Scene& scene, BackdropStore& backdrops) {
  Picture picture = lit_backdrop(*backdrops.find(scene.backdrop, scene.side), scene.mirrored, scene.light);
  const double side = scene.side;
  for (const Figure& figure : scene.figures) {
    if (figure.foot <= 0) continue;
    const bool sign = figure.thing == static_cast<int>(sign_place());
    const double reach = sign ? 0.25 * figure.scale : 0.46 * figure.width;
    darken(picture, figure.x * side, (figure.foot - 0.005) * side, reach * side, std::max(0.012, 0.16 * reach) * side);
    if (sign) paint_pole(picture, figure);
  }
  for (const int place : scene.order) lay_over(picture, scene.figures[static_cast<std::size_t>(place)].layer);
  return picture;
}

}  // namespace paligemma::world
