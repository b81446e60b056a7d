#include "train/sample_picture.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/resample.h"
#include "image/encode.h"

namespace paligemma {
namespace {

constexpr int kSampleQuality = 85;

// The mask at another size: of each of its pixels the nearest one.
Mask scaled_mask(const Mask& mask, double across, double down) {
  const auto place = [](int at, double factor) { return static_cast<int>(std::lround(at * factor)); };
  Mask out{.x = place(mask.x, across), .y = place(mask.y, down)};
  if (mask.width <= 0 || mask.height <= 0) return out;
  out.width = std::max(1, place(mask.x + mask.width, across) - out.x);
  out.height = std::max(1, place(mask.y + mask.height, down) - out.y);
  const auto from = [](int at, int of, int out_of) { return static_cast<int>((at + 0.5) * of / out_of); };
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      out.inside.push_back(mask.inside[static_cast<std::size_t>(from(y, mask.height, out.height)) * mask.width +
                                       from(x, mask.width, out.width)]);
  return out;
}

bool can_draw() try {
  require_drawing();
  return true;
} catch (const Error&) {
  return false;
}

}  // namespace

Picture fitted(const Picture& picture, int side) {
  const int longest = std::max(picture.width, picture.height);
  if (longest <= side) return picture;
  const auto length = [&](int from) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(from) * side / longest)));
  };
  const Size from{picture.width, picture.height}, to{length(picture.width), length(picture.height)};
  return {to.width, to.height, resample_rgb(picture.rgb, from, to, Filter::bilinear, PassOrder::by_shrinkage)};
}

Object scaled(const Object& object, double across, double down) {
  Object out = object;
  for (std::size_t i = 0; i < out.box.size(); ++i) out.box[i] *= i % 2 == 0 ? across : down;
  if (object.mask) out.mask = scaled_mask(*object.mask, across, down);
  return out;
}

std::vector<std::byte> sample_picture(const Picture& picture, const Result& result) {
  const Picture small = fitted(picture, kSampleSide);
  if (result.objects.empty() || !can_draw()) return encode_picture(small, "jpg", kSampleQuality);
  Result shown = result;
  for (Object& object : shown.objects)
    object = scaled(object, static_cast<double>(small.width) / picture.width,
                    static_cast<double>(small.height) / picture.height);
  return draw(small, shown, "jpg");
}

}  // namespace paligemma
