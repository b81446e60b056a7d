#include "detect/mask.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/resample.h"
#include "detect/mask_codec.h"

namespace paligemma {
namespace {

constexpr int kSide = MaskCodec::kSide;

PixelRange truncated(int low, int high, int divisor, int side) {
  const auto pixel = [&](int loc) {
    return static_cast<int>(std::min(static_cast<double>(loc) / divisor * side, static_cast<double>(side)));
  };
  return {pixel(low), pixel(high)};
}

void cut(std::span<const float> map, std::span<std::uint8_t> inside) {
  std::transform(map.begin(), map.end(), inside.begin(), [](float value) { return value > 0; });
}

void check_box(const std::array<double, 4>& box) {
  constexpr double kMaxPixels = 1 << 30;
  const auto& [x1, y1, x2, y2] = box;
  if (x1 >= 0 && y1 >= 0 && x2 > x1 && y2 > y1 && x2 < kMaxPixels && y2 < kMaxPixels &&
      (x2 - x1 + 1) * (y2 - y1 + 1) < kMaxPixels)
    return;
  fail(ErrorKind::usage, "mask", "cropping a mask: expected a box x1 y1 x2 y2 with an inside in a picture, got ", x1,
       " ", y1, " ", x2, " ", y2);
}

// Row y of the picture between the columns `xs`, 1 inside the mask.
void copy_row(const Mask& mask, int y, const PixelRange& xs, float* row) {
  std::fill(row, row + xs.size(), 0.0f);
  if (y < mask.y || y - mask.y >= mask.height) return;
  const int first = std::max(xs.first, mask.x);
  const int last = static_cast<int>(std::min<std::int64_t>(xs.last, std::int64_t{mask.x} + mask.width));
  const auto from = mask.inside.begin() + std::ptrdiff_t(y - mask.y) * mask.width;
  for (int x = first; x < last; ++x) row[x - xs.first] = from[x - mask.x] != 0;
}

}  // namespace

PixelRange pixels_cropped(double low, double high) {
  const PixelRange range{static_cast<int>(std::nearbyint(low)), static_cast<int>(std::nearbyint(high))};
  if (range.size() > 0) return range;
  const int middle = static_cast<int>(std::floor((low + high) / 2));
  return {middle, middle + 1};
}

std::vector<float> crop_mask(const Mask& mask, const std::array<double, 4>& box) {
  check_mask(mask);
  check_box(box);
  const PixelRange xs = pixels_cropped(box[0], box[2]), ys = pixels_cropped(box[1], box[3]);
  // One strip of rows after the other: the floats of a mask as large as the largest picture would be 700 MB.
  constexpr int kStripFloats = 1 << 22;
  const int strip_rows = std::max(kStripFloats / xs.size(), 1);
  std::vector<float> strip, narrow;
  narrow.reserve(std::size_t(ys.size()) * kSide);
  for (int first = ys.first; first < ys.last; first += strip_rows) {
    const int rows = std::min(strip_rows, ys.last - first);
    strip.resize(std::size_t(rows) * xs.size());
    for (int y = 0; y < rows; ++y) copy_row(mask, first + y, xs, &strip[std::size_t(y) * xs.size()]);
    const std::vector<float> part = resample_bilinear(strip, xs.size(), rows, kSide, rows);
    narrow.insert(narrow.end(), part.begin(), part.end());
  }
  return resample_bilinear(narrow, kSide, ys.size(), kSide, kSide);
}

PixelRange pixels_between(double low, double high, int side) {
  const PixelRange range{static_cast<int>(std::floor(low + 0.5)), static_cast<int>(std::floor(high + 0.5))};
  if (range.size() > 0) return range;
  const int middle = std::min(static_cast<int>((low + high) / 2), side - 1);
  return {middle, middle + 1};
}

void check_mask(const Mask& mask) {
  const std::int64_t pixels = static_cast<std::int64_t>(mask.width) * mask.height;
  if (mask.width < 0 || mask.height < 0 || mask.inside.size() != static_cast<std::uint64_t>(pixels))
    fail(ErrorKind::usage, "mask", "reading a mask: expected ", mask.width, " x ", mask.height, " pixels, got ",
         mask.inside.size());
}

Mask paste_mask(std::span<const float> map, const Object& object, const Frame& frame, MaskProfile profile) {
  if (map.size() != std::size_t(kSide) * kSide)
    fail(ErrorKind::usage, "mask", "pasting a mask: expected ", kSide * kSide, " values, got ", map.size());
  const bool truncate = profile == MaskProfile::evaluator;
  const auto& [x1, y1, x2, y2] = object.box;
  const auto& [low_y, low_x, high_y, high_x] = object.loc;
  const PixelRange xs =
      truncate ? truncated(low_x, high_x, frame.divisor, frame.width) : pixels_between(x1, x2, frame.width);
  const PixelRange ys =
      truncate ? truncated(low_y, high_y, frame.divisor, frame.height) : pixels_between(y1, y2, frame.height);
  Mask mask{.x = xs.first, .y = ys.first};
  if (xs.size() <= 0 || ys.size() <= 0) return mask;
  mask.width = xs.size();
  mask.height = ys.size();
  mask.inside.resize(std::size_t(mask.width) * mask.height);
  if (mask.height < kSide) {
    cut(resample_bilinear(map, kSide, kSide, mask.width, mask.height), mask.inside);
    return mask;
  }
  // The height does not shrink, so the horizontal pass is the first one. The vertical pass then goes one strip of
  // columns after the other: the floats of a mask as large as the largest picture would be 700 MB.
  const std::vector<float> wide = resample_bilinear(map, kSide, kSide, mask.width, kSide);
  constexpr int kStrip = 256;
  std::vector<float> strip;
  for (int x = 0; x < mask.width; x += kStrip) {
    const int columns = std::min(kStrip, mask.width - x);
    strip.clear();
    for (int y = 0; y < kSide; ++y) {
      const auto row = wide.begin() + std::ptrdiff_t(y) * mask.width + x;
      strip.insert(strip.end(), row, row + columns);
    }
    const std::vector<float> tall = resample_bilinear(strip, columns, kSide, columns, mask.height);
    for (int y = 0; y < mask.height; ++y)
      cut(std::span(tall).subspan(std::size_t(y) * columns, columns),
          std::span(mask.inside).subspan(std::size_t(y) * mask.width + x, columns));
  }
  return mask;
}

}  // namespace paligemma
