// A polygon is filled as pycocotools does it: its edges are drawn as lines of points on a grid five times as fine, and
// where a line passes from one column of pixels to the next one, the pixels from there on down change sides.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "detect/run_lengths.h"

namespace paligemma {
namespace {

constexpr int kFiner = 5;

// Pixels [first, second) of a picture, counted column by column.
using PixelInterval = std::pair<std::int64_t, std::int64_t>;

struct GridPoint {
  int x = 0, y = 0;
};

// Collects where the fill of one polygon changes sides.
class PolygonOutline {
 public:
  PolygonOutline(int width, int height) : width_(width), height_(height) {}

  void draw(const std::vector<double>& polygon) {
    const std::size_t count = polygon.size() / 2;
    const auto point = [&](std::size_t i) {
      i %= count;
      return GridPoint{on_grid(polygon[2 * i], width_), on_grid(polygon[2 * i + 1], height_)};
    };
    for (std::size_t i = 0; i < count; ++i) draw_edge(point(i), point(i + 1));
  }

  // Appends the pixels inside.
  void append_to(std::vector<PixelInterval>& inside) {
    std::ranges::sort(changes_);
    for (std::size_t i = 0; i < changes_.size(); i += 2) {
      const std::int64_t end = i + 1 < changes_.size() ? changes_[i + 1] : std::int64_t{width_} * height_;
      if (changes_[i] < end) inside.emplace_back(changes_[i], end);
    }
  }

 private:
  // A point far outside is as good as one a picture's side away.
  static int on_grid(double value, int side) {
    const double near = std::clamp(value, -static_cast<double>(side), 2.0 * side);
    return static_cast<int>(kFiner * near + 0.5);
  }

  void draw_edge(GridPoint from, GridPoint to) {
    const int dx = std::abs(from.x - to.x), dy = std::abs(from.y - to.y);
    const bool flat = dx >= dy;
    // A line has the same points in either direction.
    const bool turned = flat ? from.x > to.x : from.y > to.y;
    if (turned) std::swap(from, to);
    const int steps = std::max(dx, dy);
    const double slope = flat ? static_cast<double>(to.y - from.y) / dx : static_cast<double>(to.x - from.x) / dy;
    for (int i = 0; i <= steps; ++i) {
      const int t = turned ? steps - i : i;
      if (flat) {
        add({t + from.x, steps == 0 ? from.y : static_cast<int>(from.y + slope * t + 0.5)});
      } else {
        add({static_cast<int>(from.x + slope * t + 0.5), t + from.y});
      }
    }
  }

  void add(GridPoint point) {
    if (!std::exchange(first_, false) && point.x != last_.x) change_sides(point);
    last_ = point;
  }

  void change_sides(GridPoint point) {
    const double fine_x = point.x < last_.x ? point.x : point.x - 1;
    const double x = (fine_x + 0.5) / kFiner - 0.5;
    if (std::floor(x) != x || x < 0 || x > width_ - 1) return;
    const double fine_y = std::min(point.y, last_.y);
    const double y = std::ceil(std::clamp((fine_y + 0.5) / kFiner - 0.5, 0.0, static_cast<double>(height_)));
    changes_.push_back(static_cast<std::int64_t>(x) * height_ + static_cast<std::int64_t>(y));
  }

  int width_, height_;
  bool first_ = true;
  GridPoint last_;
  std::vector<std::int64_t> changes_;
};

}  // namespace

RunLengths fill_polygons(std::span<const std::vector<double>> polygons, int picture_width, int picture_height) {
  std::vector<PixelInterval> inside;
  for (const std::vector<double>& polygon : polygons) {
    PolygonOutline outline(picture_width, picture_height);
    outline.draw(polygon);
    outline.append_to(inside);
  }
  std::ranges::sort(inside);
  RunLengths runs{.width = picture_width, .height = picture_height};
  std::int64_t begin = 0, end = 0;  // of the run inside that is not complete yet; what is before it is written
  const auto write = [&](std::int64_t from, std::int64_t to) { runs.counts.push_back(std::uint32_t(to - from)); };
  for (const auto& [first, last] : inside) {
    if (first <= end && end > begin) {
      end = std::max(end, last);
      continue;
    }
    if (end > begin) write(begin, end);
    write(end, first);
    begin = first, end = last;
  }
  if (end > begin) write(begin, end);
  const std::int64_t pixels = std::int64_t{picture_width} * picture_height;
  if (end < pixels || runs.counts.empty()) write(end, pixels);
  return runs;
}

}  // namespace paligemma
