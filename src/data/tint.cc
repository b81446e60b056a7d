// Changes of colours and sharpness, on the picture that the model sees.
#include <algorithm>
#include <array>
#include <cmath>

#include "data/augment.h"
#include "image/encode.h"

namespace paligemma {
namespace {

std::uint8_t to_byte(double value) { return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))); }

double luma(const std::uint8_t* pixel) { return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]; }

void jitter_colors(Picture& picture, double brightness, double contrast, double saturation) {
  double mean = 0;
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3) mean += luma(&picture.rgb[i]);
  mean *= brightness / (static_cast<double>(picture.rgb.size()) / 3);
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3) {
    const double gray = luma(&picture.rgb[i]);
    for (std::size_t c = 0; c < 3; ++c) {
      const double saturated = gray + saturation * (picture.rgb[i + c] - gray);
      picture.rgb[i + c] = to_byte(mean + contrast * (brightness * saturated - mean));
    }
  }
}

// One pass along the pixels of lines: `step` bytes from one to the next, the edge repeated.
void blur_line(std::uint8_t* first, int count, std::size_t step, const std::vector<double>& kernel,
               std::vector<std::array<double, 3>>& line) {
  const int radius = static_cast<int>(kernel.size()) - 1;
  line.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      line[static_cast<std::size_t>(i)][c] = first[static_cast<std::size_t>(i) * step + c];
  for (int i = 0; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (int d = -radius; d <= radius; ++d)
        sum += kernel[static_cast<std::size_t>(std::abs(d))] *
               line[static_cast<std::size_t>(std::clamp(i + d, 0, count - 1))][c];
      first[static_cast<std::size_t>(i) * step + c] = to_byte(sum);
    }
}

void blur_picture(Picture& picture, double sigma) {
  std::vector<double> kernel;  // from the middle outwards
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  double sum = 0;
  for (int d = 0; d <= radius; ++d) {
    kernel.push_back(std::exp(-d * d / (2 * sigma * sigma)));
    sum += kernel.back() * (d == 0 ? 1 : 2);
  }
  for (double& weight : kernel) weight /= sum;
  std::vector<std::array<double, 3>> line;
  const std::size_t row = std::size_t{3} * static_cast<std::size_t>(picture.width);
  for (int y = 0; y < picture.height; ++y)
    blur_line(&picture.rgb[static_cast<std::size_t>(y) * row], picture.width, 3, kernel, line);
  for (int x = 0; x < picture.width; ++x)
    blur_line(&picture.rgb[static_cast<std::size_t>(x) * 3], picture.height, row, kernel, line);
}

}  // namespace

void tint_picture(Picture& picture, const AugmentOptions& options, Dice& dice) {
  const double brightness = dice.between(0.8, 1.2), contrast = dice.between(0.8, 1.2),
               saturation = dice.between(0.7, 1.3);
  const bool blur = dice.chance(0.2), jpeg = dice.chance(0.3);
  const double sigma = dice.between(0.3, 1.5);
  const int quality = 40 + static_cast<int>(dice.below(56));
  if (options.color) jitter_colors(picture, brightness, contrast, saturation);
  if (options.blur && blur) blur_picture(picture, sigma);
  if (options.jpeg && jpeg) picture = decode_picture(encode_picture(picture, "jpg", quality));
}

}  // namespace paligemma
