#include "data/shape.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace paligemma {
namespace {

// Pixels [first, second) of a picture, counted column by column.
using Interval = std::pair<std::int64_t, std::int64_t>;

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

Mask rasterize(const ObjectShape& shape, int width, int height) {
  RunLengths runs = shape.runs.counts.empty() ? fill_polygons(shape.polygons, width, height) : shape.runs;
  if (runs.height == 0) runs.width = width, runs.height = height;
  if (runs.width != width || runs.height != height || !fits(runs))
    fail(ErrorKind::usage, "mask", "reading a mask: expected run lengths of ", width, " x ", height, " pixels, got ",
         runs.width, " x ", runs.height);
  const std::vector<Interval> inside = intervals_of(runs);
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
