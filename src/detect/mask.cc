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

}  // namespace

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
