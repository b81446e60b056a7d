#include "image/resize.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace paligemma {
namespace {

// One output position of an axis of tf.image.resize: the weights of the inputs from `first` on.
struct Span {
  int first = 0;
  std::vector<float> weights;
};

// Triangle filter as wide as the shrinkage, all in float: TensorFlow's ScaleAndTranslate.
std::vector<Span> triangle_spans(int in, int out) {
  const float inverse = 1.0f / (static_cast<float>(out) / static_cast<float>(in));
  const float stretch = std::max(inverse, 1.0f), narrow = 1.0f / stretch;
  std::vector<Span> spans(out);
  for (int i = 0; i < out; ++i) {
    const float center = (static_cast<float>(i) + 0.5f) * inverse;
    const int first = std::clamp(static_cast<int>(std::ceil(center - stretch - 0.5f)), 0, in - 1);
    const int last = std::clamp(static_cast<int>(std::floor(center + stretch - 0.5f)), 0, in - 1);
    spans[i].first = first;
    float sum = 0;
    for (int k = first; k <= last; ++k) {
      const float distance = std::abs((static_cast<float>(k) + 0.5f - center) * narrow);
      spans[i].weights.push_back(std::max(0.0f, 1.0f - distance));
      sum += spans[i].weights.back();
    }
    for (float& weight : spans[i].weights) weight *= 1.0f / sum;
  }
  return spans;
}

std::vector<float> antialiased(const Picture& picture, int width, int height) {
  const std::size_t stride = std::size_t{3} * picture.width;
  const std::vector<Span> columns = triangle_spans(picture.width, width);
  std::vector<float> out;
  out.reserve(std::size_t{3} * width * height);
  std::vector<float> row(stride);
  for (const Span& vertical : triangle_spans(picture.height, height)) {
    std::fill(row.begin(), row.end(), 0.0f);
    const std::uint8_t* from = &picture.rgb[vertical.first * stride];
    for (const float weight : vertical.weights) {
      for (std::size_t x = 0; x < stride; ++x) row[x] += static_cast<float>(from[x]) * weight;
      from += stride;
    }
    for (const Span& horizontal : columns) {
      float sum[3] = {};
      const float* pixel = &row[horizontal.first * std::size_t{3}];
      for (const float weight : horizontal.weights) {
        for (int c = 0; c < 3; ++c) sum[c] += pixel[c] * weight;
        pixel += 3;
      }
      out.insert(out.end(), sum, sum + 3);
    }
  }
  return out;
}

// Two neighbours of an output position and how far it lies between them.
struct Between {
  std::size_t low = 0, high = 0;
  float part = 0;
};

std::vector<Between> half_pixel_positions(int in, int out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  std::vector<Between> positions(out);
  for (int i = 0; i < out; ++i) {
    const float at = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
    const float below = std::floor(at);
    positions[i] = {static_cast<std::size_t>(std::max(below, 0.0f)),
                    static_cast<std::size_t>(std::min(static_cast<int>(std::ceil(at)), in - 1)), at - below};
  }
  return positions;
}

std::vector<float> interpolated(const Picture& picture, int width, int height) {
  const std::vector<Between> columns = half_pixel_positions(picture.width, width);
  std::vector<float> out;
  out.reserve(std::size_t{3} * width * height);
  const auto mix = [](float low, float high, float part) { return low + (high - low) * part; };
  for (const Between& y : half_pixel_positions(picture.height, height)) {
    const std::uint8_t* top = &picture.rgb[y.low * picture.width * 3];
    const std::uint8_t* bottom = &picture.rgb[y.high * picture.width * 3];
    for (const Between& x : columns) {
      for (int c = 0; c < 3; ++c) {
        const std::size_t left = x.low * 3 + c, right = x.high * 3 + c;
        out.push_back(mix(mix(top[left], top[right], x.part), mix(bottom[left], bottom[right], x.part), y.part));
      }
    }
  }
  return out;
}

}  // namespace

std::vector<float> resize_tf(const Picture& picture, int width, int height, bool antialias) {
  if (picture.width == width && picture.height == height) return {picture.rgb.begin(), picture.rgb.end()};
  return antialias ? antialiased(picture, width, height) : interpolated(picture, width, height);
}

Area seen_area(int width, int height, Resize method) {
  if (method != Resize::keras) return {0, 0, width, height};
  const int side = std::min(width, height);
  return {(width - side) / 2, (height - side) / 2, side, side};
}

std::vector<float> resize_keras(const Picture& picture, int side) {
  const Area area = seen_area(picture.width, picture.height, Resize::keras);
  Picture seen{.width = area.width, .height = area.height, .rgb = {}};
  for (int y = 0; y < area.height; ++y) {
    const auto row = picture.rgb.begin() + (std::ptrdiff_t{area.y + y} * picture.width + area.x) * 3;
    seen.rgb.insert(seen.rgb.end(), row, row + std::ptrdiff_t{area.width} * 3);
  }
  std::vector<float> values = resize_tf(seen, side, side, false);
  constexpr float kScale = 1 / 127.5f;
  for (float& value : values) value = value * kScale - 1;
  return values;
}

Picture resize(const Picture& picture, int width, int height, Resize method, Filter filter) {
  Picture out{.width = width, .height = height, .rgb = {}};
  if (method == Resize::tf_bilinear || method == Resize::tf_antialias) {
    const std::vector<float> values = resize_tf(picture, width, height, method == Resize::tf_antialias);
    out.rgb.resize(values.size());
    std::transform(values.begin(), values.end(), out.rgb.begin(),
                   [](float value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f)); });
  } else {
    const PassOrder order = method == Resize::pillow_12 ? PassOrder::horizontal_first : PassOrder::by_shrinkage;
    out.rgb = resample_rgb(picture.rgb, {picture.width, picture.height}, {width, height}, filter, order);
  }
  return out;
}

}  // namespace paligemma
