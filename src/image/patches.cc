#include "image/patches.h"

#include <cassert>

namespace paligemma {
namespace {

// `value(c, i)` is channel c of pixel i, pixels row by row.
template <class Value>
void cut(int width, int patch, View out, Value value) {
  const int across = width / patch;
  for (std::int64_t n = 0; n < out.rows; ++n) {
    const std::size_t top = n / across * patch, left = n % across * patch;
    float* to = out.row(n);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < patch; ++y)
        for (int x = 0; x < patch; ++x) *to++ = value(c, (top + y) * width + left + x);
  }
}

}  // namespace

void write_patches(const Picture& picture, int patch, const Normalization& normalization, View out) {
  assert(picture.width % patch == 0 && picture.height % patch == 0);
  assert(out.rows == std::int64_t{picture.width / patch} * (picture.height / patch) && out.cols == 3 * patch * patch);
  std::array<std::array<float, 256>, 3> table;
  for (int c = 0; c < 3; ++c) {
    for (int value = 0; value < 256; ++value) {
      table[c][value] =
          (static_cast<float>(value * normalization.rescale) - normalization.mean[c]) / normalization.std[c];
    }
  }
  cut(picture.width, patch, out, [&](int c, std::size_t i) { return table[c][picture.rgb[3 * i + c]]; });
}

void write_patches(std::span<const float> values, int width, int patch, View out) {
  assert(values.size() == static_cast<std::size_t>(out.rows * out.cols) && out.cols == 3 * patch * patch);
  cut(width, patch, out, [&](int c, std::size_t i) { return values[3 * i + c]; });
}

}  // namespace paligemma
