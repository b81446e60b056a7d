#include "scenes/layer.h"

#include <algorithm>
#include <cmath>

namespace paligemma::world {
namespace {

struct Turn {
  double sine, cosine;
};

// By a polynomial: the functions of a system's library differ in their last bit.
Turn turn_of(int degrees) {
  const double x = degrees * (3.14159265358979323846 / 180), square = x * x;
  const double sine = x * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72))));
  return {sine, std::sqrt(1 - sine * sine)};
}

std::int32_t fixed_point(double value) { return static_cast<std::int32_t>(std::floor(value * 65536 + 0.5)); }

// Two channels of 8 bits in the halves of a word, `share` of 256 of b.
std::uint32_t mixed(std::uint32_t a, std::uint32_t b, std::uint32_t share) {
  return (a * (256 - share) + b * share) >> 8 & 0x00ff00ff;
}

struct Halves {
  std::uint32_t even, odd;  // channels 0 and 2, 1 and 3
};

// Between four pixels; (x, y) in 1/65536 pixels, a pixel's middle at its half.
Halves sample(const Bitmap& bitmap, std::int32_t x, std::int32_t y) {
  x -= 0x8000, y -= 0x8000;
  const int column = (x >> 16) + 1, row = (y >> 16) + 1;
  if (static_cast<unsigned>(column) > static_cast<unsigned>(bitmap.width) ||
      static_cast<unsigned>(row) > static_cast<unsigned>(bitmap.height))
    return {0, 0};
  const int stride = bitmap.width + 2;
  const std::uint32_t* p = bitmap.pixels.data() + static_cast<std::ptrdiff_t>(row) * stride + column;
  const std::uint32_t along = static_cast<std::uint32_t>(x) >> 8 & 255, down = static_cast<std::uint32_t>(y) >> 8 & 255;
  constexpr std::uint32_t kEven = 0x00ff00ff;
  const std::uint32_t even =
      mixed(mixed(p[0] & kEven, p[1] & kEven, along), mixed(p[stride] & kEven, p[stride + 1] & kEven, along), down);
  const std::uint32_t odd = mixed(mixed(p[0] >> 8 & kEven, p[1] >> 8 & kEven, along),
                                  mixed(p[stride] >> 8 & kEven, p[stride + 1] >> 8 & kEven, along), down);
  return {even, odd};
}

std::uint32_t lit(Halves halves, int light) {
  const std::uint32_t alpha = halves.odd >> 16;
  const auto channel = [&](std::uint32_t value) {
    return std::min(value * static_cast<std::uint32_t>(light) >> 8, alpha);
  };
  return channel(halves.even & 255) | channel(halves.odd & 255) << 8 | channel(halves.even >> 16) << 16 | alpha << 24;
}

// (x * y + 127) / 255 of two numbers up to 255.
std::uint32_t share_of(std::uint32_t x, std::uint32_t y) {
  const std::uint32_t t = x * y + 128;
  return (t + (t >> 8)) >> 8;
}

// How the drawing's pixels follow from the picture's.
struct Mapping {
  const Bitmap* bitmap = nullptr;
  std::int32_t x0 = 0, y0 = 0;                                    // of the middle of the layer's first pixel
  std::int32_t x_right = 0, y_right = 0, x_down = 0, y_down = 0;  // a pixel further
  bool fine = false;                                              // four samples a pixel
};

Mapping map_of(const Drawing& drawing, const Pose& pose, const Layer& layer) {
  double step = 1 / pose.scale;
  std::size_t level = 0;
  double share = 1;
  for (; step >= 2 && level + 1 < drawing.levels.size(); ++level) step /= 2, share /= 2;
  const Turn turn = turn_of(pose.degrees);
  const double across = pose.flipped ? -step : step;
  // The picture's y points down: a positive angle turns to the right.
  const double x_right = across * turn.cosine, x_down = across * turn.sine;
  const double y_right = -step * turn.sine, y_down = step * turn.cosine;
  const double middle_x = (drawing.ink[0] + drawing.ink[2]) * 0.5 * share,
               middle_y = (drawing.ink[1] + drawing.ink[3]) * 0.5 * share;
  const double dx = layer.x + 0.5 - pose.x, dy = layer.y + 0.5 - pose.y;
  return {.bitmap = &drawing.levels[level],
          .x0 = fixed_point(middle_x + dx * x_right + dy * x_down),
          .y0 = fixed_point(middle_y + dx * y_right + dy * y_down),
          .x_right = fixed_point(x_right),
          .y_right = fixed_point(y_right),
          .x_down = fixed_point(x_down),
          .y_down = fixed_point(y_down),
          .fine = step > 1};
}

Halves pixel_of(const Mapping& map, std::int32_t x, std::int32_t y) {
  if (!map.fine) return sample(*map.bitmap, x, y);
  Halves sum{0x00020002, 0x00020002};
  for (int i = 0; i < 4; ++i) {
    const std::int32_t right = i & 1 ? 1 : -1, down = i & 2 ? 1 : -1;
    const Halves one = sample(*map.bitmap, x + right * (map.x_right / 4) + down * (map.x_down / 4),
                              y + right * (map.y_right / 4) + down * (map.y_down / 4));
    sum.even += one.even, sum.odd += one.odd;
  }
  return {sum.even >> 2 & 0x00ff00ff, sum.odd >> 2 & 0x00ff00ff};
}

}  // namespace

Reach reach_of(const Drawing& drawing, int degrees) {
  const Turn turn = turn_of(degrees);
  const double half_width = (drawing.ink[2] - drawing.ink[0]) * 0.5,
               half_height = (drawing.ink[3] - drawing.ink[1]) * 0.5;
  const double sine = std::abs(turn.sine);
  return {half_width * turn.cosine + half_height * sine, half_width * sine + half_height * turn.cosine};
}

Layer turn_out(const Drawing& drawing, const Pose& pose, int side) {
  constexpr double kEdge = 2;  // what is half clear lies around the ink
  const Reach reach = reach_of(drawing, pose.degrees);
  const double half_width = (reach.x + kEdge) * pose.scale + 1, half_height = (reach.y + kEdge) * pose.scale + 1;
  const auto edge = [&](double at) { return std::clamp(static_cast<int>(std::floor(at)), 0, side); };
  Layer layer{.x = edge(pose.x - half_width), .y = edge(pose.y - half_height)};
  layer.width = edge(pose.x + half_width + 1) - layer.x, layer.height = edge(pose.y + half_height + 1) - layer.y;
  layer.pixels.resize(static_cast<std::size_t>(layer.width) * layer.height);
  const Mapping map = map_of(drawing, pose, layer);
  std::uint32_t* to = layer.pixels.data();
  for (int row = 0; row < layer.height; ++row) {
    std::int32_t x = map.x0 + row * map.x_down, y = map.y0 + row * map.y_down;
    for (int column = 0; column < layer.width; ++column, x += map.x_right, y += map.y_right)
      *to++ = lit(pixel_of(map, x, y), pose.light);
  }
  return layer;
}

void lay_over(Layer& under, const Layer& over) {
  const int left = std::max(under.x, over.x), right = std::min(under.x + under.width, over.x + over.width);
  const int top = std::max(under.y, over.y), bottom = std::min(under.y + under.height, over.y + over.height);
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) {
      const std::uint32_t from = over.pixels[static_cast<std::size_t>(y - over.y) * over.width + (x - over.x)];
      std::uint32_t& to = under.pixels[static_cast<std::size_t>(y - under.y) * under.width + (x - under.x)];
      const std::uint32_t left_over = 255 - (from >> 24);
      std::uint32_t mixed_pixel = 0;
      for (int shift = 0; shift < 32; shift += 8)
        mixed_pixel |= std::min<std::uint32_t>((from >> shift & 255) + share_of(to >> shift & 255, left_over), 255)
                       << shift;
      to = mixed_pixel;
    }
}

void lay_over(Picture& under, const Layer& over) {
  for (int y = 0; y < over.height; ++y) {
    const std::uint32_t* from = over.pixels.data() + static_cast<std::ptrdiff_t>(y) * over.width;
    std::uint8_t* to = under.rgb.data() + 3 * (static_cast<std::size_t>(over.y + y) * under.width + over.x);
    for (int x = 0; x < over.width; ++x, ++from, to += 3) {
      const std::uint32_t left_over = 255 - (*from >> 24);
      if (left_over == 255) continue;
      for (int i = 0; i < 3; ++i)
        to[i] = static_cast<std::uint8_t>(
            std::min<std::uint32_t>((*from >> 8 * i & 255) + share_of(to[i], left_over), 255));
    }
  }
}

}  // namespace paligemma::world
