// Road, room and city.
#include "scenes/painted_places.h"

namespace paligemma::world {
namespace {

// Dashes of a line from the vanishing point to the picture's foot.
void dashes(Brush& brush, double far_x, double horizon, double near_x, double width, const Shade& shade) {
  double near = 0.06;
  while (near < 1) {
    const double end = near * 1.32;
    const auto at = [&](double share, double side) {
      return Point{far_x + (near_x - far_x) * share + side * width * share, horizon + (1 - horizon) * share};
    };
    brush.polygon({at(near, -1), at(near, 1), at(end, 1), at(end, -1)}, shade);
    near *= 1.75;
  }
}

void window(Brush& brush, double x, double y, double width, double height) {
  const Shade frame = {244, 240, 232};
  brush.rectangle(x - 0.016, y - 0.016, width + 0.032, height + 0.032, frame);
  brush.rectangle(x, y, width, height, brush.varied({146, 200, 236}));
  brush.rectangle(x, y + 0.68 * height, width, 0.32 * height, brush.varied({122, 178, 110}));
  brush.polygon({{x, y + 0.5 * height}, {x + 0.5 * width, y}, {x + 0.68 * width, y}, {x, y + 0.68 * height}},
                {255, 255, 255, 0.25});
  brush.rectangle(x + width / 2 - 0.006, y, 0.012, height, frame);
  brush.rectangle(x, y + height / 2 - 0.006, width, 0.012, frame);
  brush.rectangle(x - 0.03, y + height + 0.012, width + 0.06, 0.018, {226, 220, 208});
}

void planks(Brush& brush, double top, const Shade& wood) {
  brush.band(top, 1, between(wood, {40, 20, 10}, 0.22), wood);
  constexpr int kRows = 6;
  double y = top;
  for (int row = 0; row < kRows; ++row) {
    const double next = top + (1 - top) * (row + 1) * (row + 2) / (kRows * (kRows + 1.0));
    brush.rectangle(0, next - 0.004, 1, 0.004, between(wood, {30, 14, 6}, 0.42));
    for (double x = brush.dice.share() * 0.3; x < 1; x += brush.dice.between(0.24, 0.42)) {
      brush.rectangle(x, y, 0.004, next - y, between(wood, {30, 14, 6}, 0.38));
      if (brush.dice.chance(0.5)) brush.rectangle(x, y, 0.2, next - y - 0.004, {255, 240, 210, 0.06});
    }
    y = next;
  }
}

void building(Brush& brush, double x, double width, double top, double foot) {
  const Shade wall = brush.varied({40, 40, 66}, 14);
  brush.rectangle(x, top, width, foot - top, wall);
  brush.rectangle(x, top, 0.18 * width, foot - top, between(wall, {120, 120, 160}, 0.2));
  if (brush.dice.chance(0.3)) brush.line({x + width / 2, top}, {x + width / 2, top - 0.05}, 0.005, wall);
  const double pane = 0.017, gap = 0.012;
  for (double y = top + 0.02; y + pane < foot - 0.012; y += pane + gap)
    for (double at = x + 0.014; at + pane < x + width - 0.006; at += pane + gap) {
      const bool lit = brush.dice.chance(0.45);
      brush.rectangle(at, y, 0.72 * pane, pane,
                      lit ? brush.varied({250, 206, 104}, 18) : between(wall, {0, 0, 0}, 0.3));
    }
}

}  // namespace

void paint_road(Brush& brush, double horizon) {
  brush.sky(horizon, {92, 160, 222}, {222, 232, 240});
  brush.sun(0.05, 0.18, {255, 240, 170});
  brush.clouds(4, horizon - 0.12, {255, 255, 255, 0.85});
  const Shade hill = brush.varied({110, 152, 110});
  brush.ridge(horizon - 0.035, 0.03, 3, between(hill, {190, 210, 220}, 0.35), hill);
  const Shade verge = brush.varied({118, 168, 80});
  brush.band(horizon, 1, verge, between(verge, {40, 80, 30}, 0.35));
  for (int i = 0; i < 8; ++i) {
    const double x = (i + brush.dice.share()) / 8, high = brush.dice.between(0.07, 0.17);
    constexpr Shade kLeaves = {62, 118, 60};
    brush.dice.chance(0.5) ? brush.tree(x, horizon + 0.1 * high, high, kLeaves)
                           : brush.pine(x, horizon + 0.1 * high, high, kLeaves);
  }
  const double far_x = brush.dice.between(0.36, 0.64), near_x = brush.dice.between(0.4, 0.6), wide = 0.62;
  const Shade asphalt = brush.varied({88, 90, 98}, 8);
  const auto edge = [&](double side, double reach) {
    brush.polygon({{far_x - 0.012, horizon}, {far_x + 0.012, horizon}, {near_x + reach, 1}, {near_x - reach, 1}},
                  side > 0 ? Shade{232, 230, 220} : asphalt);
  };
  edge(1, wide);
  edge(-1, wide - 0.035);
  dashes(brush, far_x, horizon, near_x, 0.022, {244, 228, 150});
}

void paint_room(Brush& brush, double horizon) {
  constexpr Shade kWalls[] = {{222, 204, 196}, {198, 214, 206}, {206, 210, 228}, {232, 222, 190}, {186, 202, 178}};
  const Shade wall = brush.varied(kWalls[brush.dice.below(std::size(kWalls))]);
  brush.band(0, horizon, wall, between(wall, {90, 80, 80}, 0.12));
  if (brush.dice.chance(0.35))
    for (int i = 0; i < 16; i += 2) brush.rectangle(i / 16.0, 0, 1 / 16.0, horizon, {255, 255, 255, 0.14});
  const double wide = brush.dice.between(0.2, 0.28), high = brush.dice.between(0.18, 0.24);
  const bool left = brush.dice.chance(0.5);
  const double x = left ? brush.dice.between(0.06, 0.22) : brush.dice.between(0.5, 0.7),
               y = brush.dice.between(0.06, 0.12);
  window(brush, x, y, wide, high);
  if (brush.dice.chance(0.6)) {
    const double at = left ? brush.dice.between(0.62, 0.76) : brush.dice.between(0.1, 0.2);
    brush.rectangle(at, y + 0.03, 0.15, 0.12, {120, 84, 54});
    brush.rectangle(at + 0.012, y + 0.042, 0.126, 0.096, brush.varied({236, 226, 204}));
    brush.polygon({{at + 0.012, y + 0.138}, {at + 0.06, y + 0.075}, {at + 0.1, y + 0.138}},
                  brush.varied({110, 150, 130}, 30));
  }
  planks(brush, horizon, brush.varied({166, 112, 66}, 20));
  brush.rectangle(0, horizon - 0.022, 1, 0.03, {238, 234, 226});
  brush.rectangle(0, horizon + 0.006, 1, 0.004, {120, 96, 76, 0.6});
  if (brush.dice.chance(0.6)) {
    constexpr Shade kRugs[] = {{166, 60, 58}, {70, 104, 150}, {84, 130, 96}, {150, 96, 140}};
    const Shade rug = brush.varied(kRugs[brush.dice.below(std::size(kRugs))]);
    const double middle = brush.dice.between(0.35, 0.65), low = horizon + brush.dice.between(0.2, 0.32);
    brush.ellipse(middle, low, 0.36, 0.12, rug);
    brush.ellipse(middle, low, 0.31, 0.1, between(rug, {255, 240, 220}, 0.3));
    brush.ellipse(middle, low, 0.27, 0.085, rug);
  }
}

void paint_city(Brush& brush, double horizon) {
  brush.sky(horizon, {10, 14, 44}, {62, 54, 104});
  for (int i = 0; i < 40; ++i) {
    const double x = brush.dice.share(), y = brush.dice.share() * horizon, size = brush.dice.between(0.0012, 0.003);
    brush.ellipse(x, y, size, size, {255, 255, 240, 0.9});
  }
  brush.sun(0.06, 0.14, {246, 242, 214});
  const double foot = horizon + 0.01;
  for (double x = -0.05; x < 1;) {
    const double width = brush.dice.between(0.09, 0.17);
    building(brush, x, width, horizon - brush.dice.between(0.08, 0.27), foot);
    x += width + brush.dice.between(0, 0.012);
  }
  const Shade walk = brush.varied({98, 94, 108}, 8), asphalt = brush.varied({52, 50, 62}, 6);
  brush.band(foot, 1, walk, between(walk, {0, 0, 0}, 0.2));
  const double kerb = foot + brush.dice.between(0.09, 0.13);
  brush.rectangle(0, kerb - 0.014, 1, 0.014, {140, 136, 148});
  brush.band(kerb, 1, asphalt, between(asphalt, {0, 0, 0}, 0.25));
  const double lane = kerb + brush.dice.between(0.18, 0.26), shift = brush.dice.share() * 0.2;
  for (double x = -shift; x < 1; x += 0.2) brush.rectangle(x, lane, 0.11, 0.016, {236, 206, 110});
  for (int i = 0; i < 3; ++i) {
    const double x = (i + brush.dice.between(0.2, 0.8)) / 3, top = foot - 0.15;
    brush.line({x, kerb}, {x, top}, 0.009, {30, 30, 40});
    brush.glow(x, top, 0.09, {255, 226, 150, 0.8});
    brush.ellipse(x, top, 0.016, 0.016, {255, 246, 214});
    brush.ellipse(x, kerb + 0.02, 0.12, 0.03, {255, 226, 150, 0.07});
  }
}

}  // namespace paligemma::world
