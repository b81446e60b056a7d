// Beach, field, snow, forest and desert.
#include "scenes/painted_places.h"

namespace paligemma::world {
namespace {

constexpr Shade kWhiteLight = {255, 255, 255};

struct SkyShades {
  Shade top, low, sun;
};

// By day, or with a chance in the evening.
SkyShades sky_of(Brush& brush, double evening) {
  if (brush.dice.chance(evening)) return {{88, 66, 140}, {250, 160, 104}, {255, 214, 130}};
  return {{70, 150, 224}, {200, 228, 246}, {255, 232, 120}};
}

// Spots on the ground, larger when they are nearer.
void spots(Brush& brush, int count, double horizon, double size, const Shade& shade) {
  for (int i = 0; i < count; ++i) {
    const double x = brush.dice.share(), near = brush.dice.share();
    const double reach = size * (0.35 + 0.65 * near);
    brush.ellipse(x, horizon + 0.02 + (0.98 - horizon) * near, reach, 0.45 * reach, shade);
  }
}

void grass(Brush& brush, int count, double horizon, const Shade& shade) {
  for (int i = 0; i < count; ++i) {
    const double x = brush.dice.share(), near = brush.dice.share();
    const double y = horizon + 0.03 + (0.97 - horizon) * near, high = 0.012 + 0.026 * near;
    for (const double lean : {-0.5, 0.0, 0.45}) brush.line({x, y}, {x + lean * high, y - high}, 0.2 * high, shade);
  }
}

}  // namespace

void paint_beach(Brush& brush, double horizon) {
  const SkyShades sky = sky_of(brush, 0.22);
  const double sea = horizon - brush.dice.between(0.13, 0.17);
  brush.sky(sea, sky.top, sky.low);
  brush.sun(0.05, sea - 0.05, sky.sun);
  brush.clouds(3, sea - 0.04, {255, 255, 255, 0.85});
  const Shade deep = brush.varied({26, 104, 168}), shallow = brush.varied({86, 190, 206});
  brush.band(sea, horizon + 0.06, deep, shallow);
  for (int i = 0; i < 16; ++i) {
    const double near = brush.dice.share(), x = brush.dice.share(), wide = 0.02 + 0.08 * brush.dice.share();
    brush.ellipse(x, sea + 0.012 + (horizon - sea - 0.02) * near, wide, 0.0022 + 0.0022 * near, {235, 248, 252, 0.45});
  }
  const Shade sand = brush.varied({240, 212, 150}), near_sand = brush.varied({222, 180, 112});
  brush.ridge(horizon - 0.012, 0.012, 5, {250, 252, 250}, {250, 252, 250});
  brush.ridge(horizon + 0.006, 0.012, 5, between(sand, {150, 110, 60}, 0.35), sand);
  brush.ridge(horizon + 0.045, 0.012, 4, sand, near_sand);
  for (int i = 0; i < 3; ++i)
    brush.ridge(horizon + 0.14 + 0.15 * i, 0.02, 3, between(sand, kWhiteLight, 0.12),
                between(sand, near_sand, 0.3 + 0.3 * i));
  spots(brush, 26, horizon + 0.06, 0.006, {160, 122, 72, 0.5});
  spots(brush, 8, horizon + 0.06, 0.011, {255, 246, 228, 0.8});
}

void paint_field(Brush& brush, double horizon) {
  const SkyShades sky = sky_of(brush, 0.08);
  brush.sky(horizon + 0.02, sky.top, sky.low);
  brush.sun(0.05, 0.2, sky.sun);
  brush.clouds(4, horizon - 0.12, {255, 255, 255, 0.9});
  const Shade far_hill = brush.varied({132, 176, 142}), hill = brush.varied({98, 160, 84});
  brush.ridge(horizon - 0.055, 0.05, 2, far_hill, between(far_hill, kWhiteLight, 0.2));
  brush.ridge(horizon - 0.025, 0.03, 3, hill, between(hill, {40, 90, 40}, 0.4));
  for (std::size_t left = brush.dice.below(5); left > 0; --left) {
    const double x = brush.dice.share(), high = brush.dice.between(0.07, 0.12);
    brush.tree(x, horizon + 0.012, high, {58, 122, 52});
  }
  const Shade meadow = brush.varied({124, 188, 74}), near_meadow = brush.varied({58, 128, 46});
  brush.ridge(horizon, 0.012, 3, meadow, between(meadow, near_meadow, 0.6));
  brush.ridge(horizon + 0.2, 0.05, 2, between(meadow, near_meadow, 0.3), near_meadow);
  if (brush.dice.chance(0.35)) {
    const double foot = horizon + 0.05;
    for (int i = 0; i < 17; ++i) brush.rectangle(i / 16.0 - 0.006, foot - 0.062, 0.012, 0.066, {236, 228, 212});
    for (const double rail : {0.048, 0.022}) brush.rectangle(0, foot - rail, 1, 0.009, {224, 214, 196});
  }
  grass(brush, 46, horizon + 0.05, between(near_meadow, {20, 60, 20}, 0.45));
  spots(brush, 18, horizon + 0.08, 0.009, brush.dice.chance(0.5) ? Shade{250, 250, 240} : Shade{248, 216, 70});
}

void paint_snow(Brush& brush, double horizon) {
  brush.sky(horizon + 0.02, {150, 178, 210}, {226, 236, 244});
  brush.sun(0.06, 0.16, {255, 250, 226});
  brush.clouds(3, horizon - 0.14, {240, 244, 248, 0.85});
  for (int i = 0; i < 3; ++i) {
    const double x = (i + brush.dice.share()) / 3, high = brush.dice.between(0.12, 0.24), wide = 1.5 * high;
    const double foot = horizon + 0.03, peak = foot - high;
    const Shade rock = brush.varied({122, 140, 164});
    brush.polygon({{x - wide, foot}, {x, peak}, {x + wide, foot}}, rock);
    brush.polygon({{x, foot}, {x, peak}, {x + wide, foot}}, between(rock, {60, 74, 100}, 0.35));
    brush.polygon({{x - 0.36 * wide, peak + 0.36 * high},
                   {x, peak},
                   {x + 0.36 * wide, peak + 0.36 * high},
                   {x + 0.17 * wide, peak + 0.29 * high},
                   {x, peak + 0.42 * high},
                   {x - 0.16 * wide, peak + 0.28 * high}},
                  {250, 252, 255});
  }
  const Shade snow = brush.varied({246, 249, 254}, 4), shadow = brush.varied({200, 214, 234}, 8);
  brush.ridge(horizon, 0.014, 3, snow, between(snow, shadow, 0.4));
  for (int i = 0; i < 5; ++i) {
    const double x = (i + brush.dice.share()) / 5, foot = horizon + brush.dice.between(0.015, 0.06);
    const double high = brush.dice.between(0.11, 0.2);
    if (brush.dice.chance(0.7)) brush.pine(x, foot, high, {54, 104, 84});
  }
  brush.ridge(horizon + 0.13, 0.05, 2, snow, shadow);
  brush.ridge(horizon + 0.34, 0.05, 2, snow, shadow);
  for (int i = 0; i < 60; ++i) {
    const double x = brush.dice.share(), y = brush.dice.share(), size = brush.dice.between(0.002, 0.0055);
    brush.ellipse(x, y, size, size, {255, 255, 255, 0.9});
  }
}

void paint_forest(Brush& brush, double horizon) {
  brush.sky(horizon + 0.1, {132, 186, 190}, {214, 230, 190});
  const Shade leaves = brush.varied({48, 110, 56});
  brush.ridge(horizon - 0.2, 0.05, 7, between(leaves, {150, 200, 170}, 0.55), between(leaves, {150, 200, 170}, 0.35));
  brush.ridge(horizon - 0.11, 0.04, 9, between(leaves, {120, 180, 140}, 0.35), between(leaves, {20, 60, 30}, 0.2));
  const Shade ground = brush.varied({92, 124, 58}), near_ground = brush.varied({58, 84, 40});
  brush.ridge(horizon - 0.01, 0.012, 4, between(ground, {40, 60, 30}, 0.35), ground);
  for (int row = 0; row < 2; ++row)
    for (int i = 0; i < 7; ++i) {
      const double x = (i + brush.dice.share()) / 7, foot = horizon + 0.005 + 0.035 * row + 0.02 * brush.dice.share();
      const double high = brush.dice.between(0.26, 0.38) + 0.05 * row;
      const Shade shade = between(leaves, {10, 40, 20}, 0.1 * row);
      brush.dice.chance(0.6) ? brush.pine(x, foot, high, shade) : brush.tree(x, foot, 0.9 * high, shade);
    }
  brush.ridge(horizon + 0.08, 0.02, 3, ground, near_ground);
  for (int i = 0; i < 4; ++i) {
    const double x = brush.dice.share(), wide = brush.dice.between(0.03, 0.08);
    brush.polygon({{x, 0}, {x + wide, 0}, {x + wide - 0.18, 1}, {x - wide - 0.2, 1}}, {255, 250, 200, 0.07});
  }
  grass(brush, 40, horizon + 0.06, between(near_ground, {20, 40, 10}, 0.4));
  spots(brush, 14, horizon + 0.1, 0.012, {120, 90, 52, 0.6});
}

void paint_desert(Brush& brush, double horizon) {
  const bool dusk = brush.dice.chance(0.4);
  if (dusk)
    brush.sky(horizon + 0.05, {96, 74, 150}, {250, 176, 116});
  else
    brush.sky(horizon + 0.05, {92, 168, 226}, {246, 226, 180});
  brush.sun(0.05, horizon - 0.12, {255, 240, 170});
  brush.clouds(2, horizon - 0.16, {255, 244, 226, 0.75});
  const Shade sand = brush.varied(dusk ? Shade{226, 156, 92} : Shade{238, 188, 108});
  const Shade dark = between(sand, {120, 66, 40}, 0.42);
  brush.ridge(horizon - 0.05, 0.04, 2, between(sand, {255, 230, 200}, 0.35), dark);
  brush.ridge(horizon - 0.01, 0.025, 3, sand, dark);
  for (std::size_t left = brush.dice.below(3); left > 0; --left) {
    const double x = brush.dice.share(), foot = horizon + brush.dice.between(0.01, 0.05);
    const double high = brush.dice.between(0.06, 0.11), wide = 0.11 * high;
    const Shade cactus = brush.varied({72, 128, 70});
    brush.rectangle(x - wide, foot - high, 2 * wide, high, cactus);
    brush.ellipse(x, foot - high, wide, wide, cactus);
    for (const double way : {-1.0, 1.0}) {
      const double arm = foot - (way < 0 ? 0.5 : 0.36) * high;
      brush.line({x, arm}, {x + way * 0.34 * high, arm}, 1.3 * wide, cactus);
      brush.line({x + way * 0.3 * high, arm + 0.6 * wide}, {x + way * 0.3 * high, arm - 0.3 * high}, 1.3 * wide,
                 cactus);
    }
  }
  for (int i = 0; i < 4; ++i)
    brush.ridge(horizon + 0.06 + 0.15 * i, 0.045, 2, between(sand, {255, 236, 190}, 0.25),
                between(sand, dark, 0.35 + 0.15 * i));
  spots(brush, 14, horizon + 0.1, 0.008, {130, 88, 54, 0.5});
}

}  // namespace paligemma::world
