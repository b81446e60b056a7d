#include "train/mask_shapes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/random.h"
#include "detect/mask.h"
#include "detect/mask_codec.h"

namespace paligemma {
namespace {

// (x, y) -> (a x + b y, c x + d y).
struct Plane {
  double a = 1, b = 0, c = 0, d = 1;

  std::array<double, 2> operator()(double x, double y) const { return {a * x + b * y, c * x + d * y}; }
  Plane inverse() const {
    const double determinant = a * d - b * c;
    return {d / determinant, -b / determinant, -c / determinant, a / determinant};
  }
};

// Mirrored, stretched, sheared and then turned.
Plane plane_of(const ShapeChange& change) {
  const double wide = std::exp(change.stretch) * (change.mirror ? -1 : 1), cosine = std::cos(change.turn),
               sine = std::sin(change.turn), shear = change.shear;
  return {cosine * wide, cosine * shear - sine, sine * wide, sine * shear + cosine};
}

struct Extent {
  double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
  void hold(double value) { low = std::min(low, value), high = std::max(high, value); }
  double size() const { return high - low; }
};

}  // namespace

ShapeChange random_change(std::uint64_t seed) {
  std::uint64_t drawn = 0;
  const auto chance = [&](double p) { return uniform(seed, drawn++) < p; };
  const auto between = [&](double low, double high) { return low + (high - low) * uniform(seed, drawn++); };
  ShapeChange change{.mirror = chance(0.5)};
  if (chance(0.3)) return change;
  constexpr double kDegree = std::numbers::pi / 180;
  change.turn = between(-12, 12) * kDegree;
  change.stretch = between(-0.2, 0.2);
  change.shear = between(-0.1, 0.1);
  if (chance(0.15)) change.cut[static_cast<std::size_t>(between(0, 4))] = between(0.05, 0.5);
  if (chance(0.3))
    for (double& edge : change.loose) edge = between(-0.03, 0.03);
  return change;
}

std::array<double, 4> tight_box(const Mask& mask) {
  return tight_box(mask, {double(mask.x), double(mask.y), double(mask.x) + mask.width, double(mask.y) + mask.height});
}

std::array<double, 4> tight_box(const Mask& mask, const std::array<double, 4>& box) {
  const PixelRange xs = pixels_cropped(box[0], box[2]), ys = pixels_cropped(box[1], box[3]);
  int left = mask.width, top = mask.height, right = 0, bottom = 0;
  for (int y = std::max(ys.first - mask.y, 0); y < std::min(ys.last - mask.y, mask.height); ++y)
    for (int x = std::max(xs.first - mask.x, 0); x < std::min(xs.last - mask.x, mask.width); ++x)
      if (mask.inside[std::size_t(y) * mask.width + x] != 0)
        left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1),
        bottom = std::max(bottom, y + 1);
  if (right <= left) return {0, 0, 0, 0};
  return {double(mask.x) + left, double(mask.y) + top, double(mask.x) + right, double(mask.y) + bottom};
}

MaskShape::MaskShape(const Mask& mask) : MaskShape(mask, tight_box(mask)) {}

MaskShape::MaskShape(const Mask& mask, const std::array<double, 4>& box) {
  const auto [x1, y1, x2, y2] = tight_box(mask, box);
  const PixelRange xs = pixels_cropped(box[0], box[2]), ys = pixels_cropped(box[1], box[3]);
  margin_ = {(x1 - xs.first) / (x2 - x1), (y1 - ys.first) / (y2 - y1), (xs.last - x2) / (x2 - x1),
             (ys.last - y2) / (y2 - y1)};
  const int left = int(x1) - mask.x, top = int(y1) - mask.y, width = int(x2 - x1), height = int(y2 - y1);
  const double scale = std::min(1.0, double{kSide} / std::max(width, height));
  width_ = std::max(1, int(std::lround(width * scale)));
  height_ = std::max(1, int(std::lround(height * scale)));
  coverage_.resize(std::size_t(width_ + 2) * (height_ + 2));
  for (int y = 0; y < height_; ++y)
    for (int x = 0; x < width_; ++x) {
      const auto x1 = int(std::int64_t{x} * width / width_), x2 = int((std::int64_t{x} + 1) * width / width_);
      const auto y1 = int(std::int64_t{y} * height / height_), y2 = int((std::int64_t{y} + 1) * height / height_);
      std::int64_t inside = 0;
      for (int row = y1; row < y2; ++row)
        for (int column = x1; column < x2; ++column)
          inside += mask.inside[std::size_t(top + row) * mask.width + left + column] != 0;
      coverage_[place(x, y)] = std::uint8_t(255 * inside / (std::int64_t{y2 - y1} * (x2 - x1)));
    }
  for (int y = -1; y <= height_; ++y)
    for (int x = -1; x <= width_; ++x)
      coverage_[place(x, y)] = coverage_[place(std::clamp(x, 0, width_ - 1), std::clamp(y, 0, height_ - 1))];
}

std::uint64_t MaskShape::fingerprint() const {
  std::uint64_t sum = splitmix64(static_cast<std::uint64_t>(width_), static_cast<std::uint64_t>(height_));
  for (const std::uint8_t value : coverage_) sum = splitmix64(sum, value);
  for (const double margin : margin_) sum = splitmix64(sum, std::bit_cast<std::uint64_t>(margin));
  return sum;
}

// Between the middles of pixels; beyond the outermost ones as they are, and nothing beyond the edges.
float MaskShape::at(double x, double y) const {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return 0;
  const int column = int(x + 0.5), row = int(y + 0.5);
  const auto fx = float(x + 0.5 - column), fy = float(y + 0.5 - row);
  const std::uint8_t *upper = &coverage_[place(column - 1, row - 1)], *lower = upper + (width_ + 2);
  const float above = upper[0] + fx * (upper[1] - upper[0]), below = lower[0] + fx * (lower[1] - lower[0]);
  return (above + fy * (below - above)) / 255;
}

std::vector<float> MaskShape::map(const ShapeChange& change) const {
  const Plane plane = plane_of(change), back = plane.inverse();
  // What the cut leaves, and its box once it is changed, from the first and the last pixel of each row.
  double left = change.cut[0] * width_, top = change.cut[1] * height_;
  double right = width_ - change.cut[2] * width_, bottom = height_ - change.cut[3] * height_;
  Extent xs, ys;
  const auto measure = [&] {
    for (int y = 0; y < height_; ++y) {
      if (y + 0.5 < top || y + 0.5 > bottom) continue;
      Extent row;
      for (int x = 0; x < width_; ++x)
        if (coverage_[place(x, y)] > 127 && x + 0.5 >= left && x + 0.5 <= right) row.hold(x), row.hold(x + 1);
      if (row.high < row.low) continue;
      for (const double x : {row.low, row.high})
        for (const double edge : {double(y), y + 1.0}) {
          const auto [px, py] = plane(x, edge);
          xs.hold(px), ys.hold(py);
        }
    }
  };
  measure();
  if (xs.high < xs.low) {
    left = top = 0, right = width_, bottom = height_;
    measure();
  }
  if (xs.high < xs.low) xs = {0, double(width_)}, ys = {0, double(height_)};  // nothing is covered by half
  std::array<double, 4> margin = margin_;
  if (change.mirror) std::swap(margin[0], margin[2]);
  for (std::size_t edge = 0; edge < 4; ++edge) margin[edge] += change.loose[edge];
  const double x1 = xs.low - margin[0] * xs.size(), x2 = xs.high + margin[2] * xs.size();
  const double y1 = ys.low - margin[1] * ys.size(), y2 = ys.high + margin[3] * ys.size();

  constexpr int kMap = MaskCodec::kSide, kSamples = 2;  // a side of a cell
  std::vector<float> out(std::size_t(kMap) * kMap);
  for (int row = 0; row < kMap * kSamples; ++row)
    for (int column = 0; column < kMap * kSamples; ++column) {
      const auto [x, y] =
          back(x1 + (x2 - x1) * (column + 0.5) / (kMap * kSamples), y1 + (y2 - y1) * (row + 0.5) / (kMap * kSamples));
      if (x >= left && x <= right && y >= top && y <= bottom)
        out[std::size_t(row / kSamples) * kMap + column / kSamples] += at(x, y) / (kSamples * kSamples);
    }
  return out;
}

}  // namespace paligemma
