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

ShapeChange random_recut(std::uint64_t seed) {
  constexpr double kRecut = 0.6, kFewest = 22, kMostOfFewest = 1.5;  // as a power of e
  if (uniform(seed, 0) >= kRecut) return {};
  return {.pixels = kFewest * std::exp(uniform(seed, 1) * kMostOfFewest),
          .phase = {uniform(seed, 2), uniform(seed, 3)}};
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

class MaskShape::Changed {
 public:
  Changed(const MaskShape& shape, const ShapeChange& change);

  // The share of a rectangle that is covered.
  float covered(double x, double y, double width, double height) const;
  // The same object in pixels of that side, the first of which begins at `phase` before the box: a map in its box.
  // Empty where no pixel is covered by half.
  std::vector<float> recut(double pixel, const std::array<double, 2>& phase) const;

  double wide() const { return box[2] - box[0]; }
  double high() const { return box[3] - box[1]; }

  std::array<double, 4> box{};     // the smallest
  std::array<double, 4> margin{};  // as MaskShape::margin_

 private:
  bool holds(double x, double y) const { return x >= left_ && x <= right_ && y >= top_ && y <= bottom_; }
  bool measure(const Plane& plane);

  const MaskShape& shape_;
  Plane back_;
  double left_, top_, right_, bottom_;  // what the cut leaves
};

MaskShape::Changed::Changed(const MaskShape& shape, const ShapeChange& change)
    : margin(shape.margin_),
      shape_(shape),
      back_(plane_of(change).inverse()),
      left_(change.cut[0] * shape.width_),
      top_(change.cut[1] * shape.height_),
      right_(shape.width_ - change.cut[2] * shape.width_),
      bottom_(shape.height_ - change.cut[3] * shape.height_) {
  if (!measure(plane_of(change))) {
    left_ = top_ = 0, right_ = shape.width_, bottom_ = shape.height_;
    if (!measure(plane_of(change))) box = {0, 0, right_, bottom_};  // nothing is covered by half
  }
  if (change.mirror) std::swap(margin[0], margin[2]);
  for (std::size_t edge = 0; edge < 4; ++edge) margin[edge] += change.loose[edge];
}

// The box, from the first and the last pixel of each row.
bool MaskShape::Changed::measure(const Plane& plane) {
  Extent xs, ys;
  for (int y = 0; y < shape_.height_; ++y) {
    Extent row;
    for (int x = 0; x < shape_.width_; ++x)
      if (shape_.coverage_[shape_.place(x, y)] > 127 && holds(x + 0.5, y + 0.5)) row.hold(x), row.hold(x + 1);
    if (row.high < row.low) continue;
    for (const double x : {row.low, row.high})
      for (const double edge : {double(y), y + 1.0}) {
        const auto [px, py] = plane(x, edge);
        xs.hold(px), ys.hold(py);
      }
  }
  if (xs.high < xs.low) return false;
  box = {xs.low, ys.low, xs.high, ys.high};
  return true;
}

float MaskShape::Changed::covered(double x, double y, double width, double height) const {
  constexpr int kSamples = 2;  // a side
  float sum = 0;
  for (int row = 0; row < kSamples; ++row)
    for (int column = 0; column < kSamples; ++column) {
      const auto [px, py] = back_(x + width * (column + 0.5) / kSamples, y + height * (row + 0.5) / kSamples);
      if (holds(px, py)) sum += shape_.at(px, py) / (kSamples * kSamples);
    }
  return sum;
}

std::vector<float> MaskShape::Changed::recut(double pixel, const std::array<double, 2>& phase) const {
  Mask mask{.width = int(wide() / pixel) + 2, .height = int(high() / pixel) + 2};
  mask.inside.resize(std::size_t(mask.width) * mask.height);
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      mask.inside[std::size_t(y) * mask.width + x] =
          covered(box[0] + (x - phase[0]) * pixel, box[1] + (y - phase[1]) * pixel, pixel, pixel) >= 0.5f;
  // A picture with room for the margin.
  mask.x = 1 + int(std::ceil(std::max(margin[0], 0.0) * mask.width));
  mask.y = 1 + int(std::ceil(std::max(margin[1], 0.0) * mask.height));
  const auto [x1, y1, x2, y2] = tight_box(mask);
  if (x2 <= x1) return {};
  return crop_mask(mask, {x1 - margin[0] * (x2 - x1), y1 - margin[1] * (y2 - y1), x2 + margin[2] * (x2 - x1),
                          y2 + margin[3] * (y2 - y1)});
}

std::vector<float> MaskShape::map(const ShapeChange& change) const {
  const Changed changed(*this, change);
  std::vector<float> out;
  if (change.pixels > 0) out = changed.recut(std::max(changed.wide(), changed.high()) / change.pixels, change.phase);
  if (!out.empty()) return out;
  constexpr int kMap = MaskCodec::kSide;
  const auto& [x1, y1, x2, y2] = changed.box;
  const auto& margin = changed.margin;
  const double left = x1 - margin[0] * changed.wide(), right = x2 + margin[2] * changed.wide();
  const double top = y1 - margin[1] * changed.high(), bottom = y2 + margin[3] * changed.high();
  for (int row = 0; row < kMap; ++row)
    for (int column = 0; column < kMap; ++column)
      out.push_back(changed.covered(left + (right - left) * column / kMap, top + (bottom - top) * row / kMap,
                                    (right - left) / kMap, (bottom - top) / kMap));
  return out;
}

}  // namespace paligemma
