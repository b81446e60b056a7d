// A polygon is filled as pycocotools does it: its edges are drawn as lines of points on a grid five times as fine, and
// where a line passes from one column of pixels to the next one, the pixels from there on down change sides.
#include "data/shape.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr int kFiner = 5;

// Pixels [first, second) of a picture, counted column by column.
using Interval = std::pair<std::int64_t, std::int64_t>;

struct GridPoint {
  int x = 0, y = 0;
  bool operator==(const GridPoint&) const = default;
};

// Collects where the fill of one polygon changes sides.
class Outline {
 public:
  Outline(int width, int height) : width_(width), height_(height) {}

  void draw(const std::vector<double>& polygon) {
    const std::size_t count = polygon.size() / 2;
    const auto point = [&](std::size_t i) {
      i %= count;
      return GridPoint{on_grid(polygon[2 * i], width_), on_grid(polygon[2 * i + 1], height_)};
    };
    first_ = true;
    for (std::size_t i = 0; i < count; ++i) draw_edge(point(i), point(i + 1));
  }

  // The pixels inside.
  std::vector<Interval> intervals() {
    std::ranges::sort(changes_);
    std::vector<Interval> inside;
    for (std::size_t i = 0; i < changes_.size(); i += 2) {
      const std::int64_t end = i + 1 < changes_.size() ? changes_[i + 1] : std::int64_t{width_} * height_;
      if (changes_[i] < end) inside.emplace_back(changes_[i], end);
    }
    return inside;
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

std::vector<Interval> intervals_of(const RunLengths& runs) {
  std::vector<Interval> inside;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < runs.counts.size(); ++i) {
    if (i % 2 == 1 && runs.counts[i] > 0) inside.emplace_back(at, at + runs.counts[i]);
    at += runs.counts[i];
  }
  return inside;
}

// The pixels of any of the intervals, in order, cut at column ends.
template <class Use>
void for_each_column_part(const std::vector<Interval>& inside, int height, const Use& use) {
  for (auto [at, end] : inside) {
    while (at < end) {
      const std::int64_t column = at / height;
      const std::int64_t stop = std::min(end, (column + 1) * height);
      use(static_cast<int>(column), static_cast<int>(at - column * height), static_cast<int>(stop - column * height));
      at = stop;
    }
  }
}

}  // namespace

std::optional<std::vector<std::uint32_t>> read_run_lengths(std::string_view counts) {
  constexpr int kMostGroups = 7;  // of five bits: 32 bits and a sign
  std::vector<std::uint32_t> runs;
  for (std::size_t at = 0; at < counts.size();) {
    std::int64_t value = 0;
    int groups = 0;
    for (bool more = true; more; ++groups) {
      if (at == counts.size() || groups == kMostGroups) return {};
      const int bits = counts[at++] - '0';
      if (bits < 0 || bits > 0x3f) return {};
      value |= static_cast<std::int64_t>(bits & 0x1f) << (5 * groups);
      more = (bits & 0x20) != 0;
      if (!more && (bits & 0x10) != 0) value -= std::int64_t{1} << (5 * (groups + 1));
    }
    if (runs.size() > 2) value += runs[runs.size() - 2];
    if (value < 0 || value > UINT32_MAX) return {};
    runs.push_back(static_cast<std::uint32_t>(value));
  }
  return runs;
}

bool fits(const RunLengths& runs) {
  if (runs.height == 0) return true;
  std::uint64_t sum = 0;
  for (const std::uint32_t count : runs.counts) sum += count;
  return sum == static_cast<std::uint64_t>(runs.width) * static_cast<std::uint64_t>(runs.height);
}

Mask rasterize(const ObjectShape& shape, int width, int height) {
  std::vector<Interval> inside;
  if (!shape.runs.counts.empty()) {
    RunLengths runs = shape.runs;
    if (runs.height == 0) runs.width = width, runs.height = height;
    if (runs.width != width || runs.height != height || !fits(runs))
      fail(ErrorKind::usage, "mask", "reading a mask: expected run lengths of ", width, " x ", height, " pixels, got ",
           runs.width, " x ", runs.height);
    inside = intervals_of(runs);
  }
  for (const std::vector<double>& polygon : shape.polygons) {
    Outline outline(width, height);
    outline.draw(polygon);
    const std::vector<Interval> more = outline.intervals();
    inside.insert(inside.end(), more.begin(), more.end());
  }
  int left = width, right = 0, top = height, bottom = 0;
  for_each_column_part(inside, height, [&](int x, int first, int last) {
    left = std::min(left, x), right = std::max(right, x + 1);
    top = std::min(top, first), bottom = std::max(bottom, last);
  });
  if (left >= right) return {};
  Mask mask{.x = left, .y = top, .width = right - left, .height = bottom - top};
  mask.inside.resize(std::size_t(mask.width) * mask.height);
  for_each_column_part(inside, height, [&](int x, int first, int last) {
    for (int y = first; y < last; ++y) mask.inside[std::size_t(y - top) * mask.width + (x - left)] = 1;
  });
  return mask;
}

std::optional<std::array<double, 4>> hull(const std::vector<std::vector<double>>& polygons) {
  std::optional<std::array<double, 4>> box;
  for (const std::vector<double>& polygon : polygons)
    for (std::size_t i = 0; i + 1 < polygon.size(); i += 2) {
      const double x = polygon[i], y = polygon[i + 1];
      if (!box) box = std::array{x, y, x, y};
      box = std::array{std::min((*box)[0], x), std::min((*box)[1], y), std::max((*box)[2], x), std::max((*box)[3], y)};
    }
  return box;
}

}  // namespace paligemma
