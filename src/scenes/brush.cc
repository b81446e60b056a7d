#include "scenes/brush.h"

#include <memory>

namespace paligemma::world {
namespace {

constexpr double kChannel = 255, kWholeTurn = 6.283185307179586;

struct ReleasePattern {
  void operator()(cairo_pattern_t* pattern) const { cairo_pattern_destroy(pattern); }
};
using Pattern = std::unique_ptr<cairo_pattern_t, ReleasePattern>;

void add_stop(const Pattern& pattern, double at, const Shade& shade) {
  cairo_pattern_add_color_stop_rgba(pattern.get(), at, shade.r / kChannel, shade.g / kChannel, shade.b / kChannel,
                                    shade.opacity);
}

}  // namespace

Shade between(const Shade& one, const Shade& other, double share) {
  const auto mix = [&](double a, double b) { return a + (b - a) * share; };
  return {mix(one.r, other.r), mix(one.g, other.g), mix(one.b, other.b), mix(one.opacity, other.opacity)};
}

Shade Brush::varied(const Shade& shade, double by) {
  const double together = dice.between(-by, by);
  const auto moved = [&](double channel) { return channel + together + dice.between(-by / 2, by / 2); };
  const double r = moved(shade.r), g = moved(shade.g), b = moved(shade.b);
  return {r, g, b, shade.opacity};
}

void Brush::fill(const Shade& shade) {
  cairo_set_source_rgba(cairo_, shade.r / kChannel, shade.g / kChannel, shade.b / kChannel, shade.opacity);
  cairo_fill(cairo_);
}

void Brush::sky(double bottom, const Shade& top, const Shade& low) {
  const Shade high = varied(top), deep = varied(low);
  band(0, bottom, high, deep);
}

void Brush::band(double top, double bottom, const Shade& high, const Shade& low) {
  const Pattern pattern(cairo_pattern_create_linear(0, top, 0, bottom));
  add_stop(pattern, 0, high);
  add_stop(pattern, 1, low);
  cairo_set_source(cairo_, pattern.get());
  cairo_rectangle(cairo_, 0, top, 1, bottom - top);
  cairo_fill(cairo_);
}

void Brush::polygon(std::initializer_list<Point> points, const Shade& shade) {
  for (const Point& point : points) cairo_line_to(cairo_, point.x, point.y);
  cairo_close_path(cairo_);
  fill(shade);
}

void Brush::rectangle(double x, double y, double width, double height, const Shade& shade) {
  cairo_rectangle(cairo_, x, y, width, height);
  fill(shade);
}

void Brush::ellipse(double x, double y, double reach_x, double reach_y, const Shade& shade) {
  cairo_save(cairo_);
  cairo_translate(cairo_, x, y);
  cairo_scale(cairo_, reach_x, reach_y);
  cairo_arc(cairo_, 0, 0, 1, 0, kWholeTurn);
  cairo_restore(cairo_);
  fill(shade);
}

void Brush::line(Point from, Point to, double width, const Shade& shade) {
  cairo_set_source_rgba(cairo_, shade.r / kChannel, shade.g / kChannel, shade.b / kChannel, shade.opacity);
  cairo_set_line_width(cairo_, width);
  cairo_move_to(cairo_, from.x, from.y);
  cairo_line_to(cairo_, to.x, to.y);
  cairo_stroke(cairo_);
}

void Brush::glow(double x, double y, double reach, const Shade& shade) {
  const Pattern pattern(cairo_pattern_create_radial(x, y, 0, x, y, reach));
  add_stop(pattern, 0, shade);
  add_stop(pattern, 1, {shade.r, shade.g, shade.b, 0});
  cairo_set_source(cairo_, pattern.get());
  cairo_rectangle(cairo_, x - reach, y - reach, 2 * reach, 2 * reach);
  cairo_fill(cairo_);
}

void Brush::ridge(double height, double amplitude, int bumps, const Shade& crest, const Shade& foot) {
  const auto drawn = [&] { return height + amplitude * dice.between(-1, 1); };
  const double step = 1.0 / bumps, shift = dice.share() * step;
  double x = -shift, y = drawn();
  cairo_move_to(cairo_, x, 1);
  cairo_line_to(cairo_, x, y);
  for (; x < 1; x += step) {
    const double next = drawn();
    cairo_curve_to(cairo_, x + step / 2, y, x + step / 2, next, x + step, next);
    y = next;
  }
  cairo_line_to(cairo_, x, 1);
  cairo_close_path(cairo_);
  const Pattern pattern(cairo_pattern_create_linear(0, height - amplitude, 0, height + 0.25));
  add_stop(pattern, 0, crest);
  add_stop(pattern, 1, foot);
  cairo_set_source(cairo_, pattern.get());
  cairo_fill(cairo_);
}

void Brush::sun(double highest, double lowest, const Shade& shade) {
  const double x = dice.between(0.08, 0.92), y = dice.between(highest, lowest), reach = dice.between(0.04, 0.065);
  glow(x, y, 3.2 * reach, {shade.r, shade.g, shade.b, 0.5});
  ellipse(x, y, reach, reach, shade);
}

void Brush::clouds(int most, double lowest, const Shade& shade) {
  for (std::size_t left = dice.below(static_cast<std::size_t>(most) + 1); left > 0; --left) {
    const double x = dice.share(), y = dice.between(0.05, lowest), size = dice.between(0.045, 0.09);
    for (int puff = -2; puff <= 2; ++puff) {
      const double high = (puff == 0 ? 0.62 : puff % 2 != 0 ? 0.46 : 0.26) * size * dice.between(0.85, 1.15);
      ellipse(x + puff * 0.62 * size, y - high / 2, 0.72 * size, high, shade);
    }
    rectangle(x - 1.5 * size, y - 0.04 * size, 3 * size, 0.13 * size, shade);
  }
}

void Brush::pine(double x, double foot, double height, const Shade& shade) {
  const Shade needles = varied(shade);
  rectangle(x - 0.035 * height, foot - 0.2 * height, 0.07 * height, 0.2 * height, {94, 66, 44});
  for (int tier = 0; tier < 3; ++tier) {
    const double low = foot - (0.13 + 0.25 * tier) * height, wide = (0.27 - 0.06 * tier) * height;
    const double top = low - (0.44 - 0.03 * tier) * height;
    polygon({{x - wide, low}, {x, top}, {x, low}}, between(needles, {255, 255, 255}, 0.08));
    polygon({{x, low}, {x, top}, {x + wide, low}}, between(needles, {0, 0, 0}, 0.12));
  }
}

void Brush::tree(double x, double foot, double height, const Shade& shade) {
  const Shade leaves = varied(shade);
  rectangle(x - 0.045 * height, foot - 0.5 * height, 0.09 * height, 0.5 * height, {104, 72, 48});
  const Shade dark = between(leaves, {0, 0, 0}, 0.18), bright = between(leaves, {255, 255, 220}, 0.14);
  ellipse(x - 0.17 * height, foot - 0.55 * height, 0.2 * height, 0.18 * height, dark);
  ellipse(x + 0.17 * height, foot - 0.55 * height, 0.2 * height, 0.18 * height, dark);
  ellipse(x, foot - 0.68 * height, 0.27 * height, 0.27 * height, leaves);
  ellipse(x - 0.07 * height, foot - 0.76 * height, 0.14 * height, 0.13 * height, bright);
}

}  // namespace paligemma::world
