#include "image/patches.h"

#include <cassert>

namespace paligemma {

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
  const int across = picture.width / patch;
  for (std::int64_t n = 0; n < out.rows; ++n) {
    const std::size_t top = n / across * patch, left = n % across * patch;
    float* to = out.row(n);
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < patch; ++y) {
        const std::uint8_t* from = &picture.rgb[((top + y) * picture.width + left) * 3 + c];
        for (int x = 0; x < patch; ++x) *to++ = table[c][from[3 * x]];
      }
    }
  }
}

}  // namespace paligemma
