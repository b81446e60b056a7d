#include "scenes/layout.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr int kTries = 60;
constexpr double kMargin112 = 1.0 / 112;
constexpr double kMostCovered = 0.14;  // of the smaller of two boxes
// Words about left and right are to be certain: middles keep away from one another and from the thirds of the width.
constexpr double kLeastApart = 0.03, kFromThirds = 0.012;
constexpr double kPoleWidth = 0.19;  // ems

struct Box {
  double x1, y1, x2, y2;
};

Box box_of(const Figure& figure) {
  return {figure.x - figure.width / 2, figure.y - figure.height / 2, figure.x + figure.width / 2,
          figure.y + figure.height / 2};
}

Box pole_of(const Figure& figure) {
  const double half = kPoleWidth / 2 * figure.scale;
  return {figure.x - half, figure.y, figure.x + half, figure.foot};
}

double common_area(const Box& a, const Box& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1),
               height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return width > 0 && height > 0 ? width * height : 0;
}

double area(const Box& box) { return (box.x2 - box.x1) * (box.y2 - box.y1); }

bool is_sign(const Figure& figure) { return figure.thing == static_cast<int>(sign_place()); }

bool clash(const Figure& a, const Figure& b) {
  if (std::abs(a.x - b.x) < kLeastApart) return true;
  const Box one = box_of(a), other = box_of(b);
  const double common = common_area(one, other);
  if (is_sign(a) || is_sign(b)) {
    const Figure& sign = is_sign(a) ? a : b;
    return common > 0 || (sign.foot > 0 && common_area(pole_of(sign), is_sign(a) ? other : one) > 0);
  }
  return common > kMostCovered * std::min(area(one), area(other));
}

bool fits_in(const Figure& figure, const std::vector<Figure>& others) {
  const Box box = box_of(figure);
  if (box.x1 < kMargin112 || box.y1 < kMargin112 || box.x2 > 1 - kMargin112 || box.y2 > 1 - kMargin112) return false;
  for (const double third : {1.0 / 3, 2.0 / 3})
    if (std::abs(figure.x - third) < kFromThirds) return false;
  return std::ranges::none_of(others, [&](const Figure& other) { return clash(figure, other); });
}

const Drawing& drawing_of(const Artwork& artwork, const Figure& figure) {
  const auto& drawings = artwork.things[static_cast<std::size_t>(figure.thing)];
  return drawings[figure.colour < 0 ? 0 : static_cast<std::size_t>(figure.colour)];
}

// `size`: of the drawing's longer side.
void give_size(const Artwork& artwork, Figure& figure, double size) {
  const Drawing& drawing = drawing_of(artwork, figure);
  const Reach reach = reach_of(drawing, figure.degrees);
  figure.scale = size / std::max(drawing.ink[2] - drawing.ink[0], drawing.ink[3] - drawing.ink[1]);
  figure.width = 2 * reach.x * figure.scale, figure.height = 2 * reach.y * figure.scale;
}

// What stands further away, higher up, is smaller.
bool place_thing(const Artwork& artwork, Figure& figure, double size, double horizon, const std::vector<Figure>& others,
                 Dice& dice) {
  const Stand stand = things()[static_cast<std::size_t>(figure.thing)].stand;
  for (int tries = 0; tries < kTries; ++tries, size *= 0.985) {
    const double down = dice.share(), across = dice.share(), chance = dice.share();
    give_size(artwork, figure, size);
    if (stand == Stand::ground) {
      give_size(artwork, figure, size * (0.82 + 0.36 * down));
      // Feet on the ground, and no head far above it.
      const double highest = std::max(horizon + 0.03, horizon + 0.2 * figure.height), lowest = 1 - 1.5 * kMargin112;
      figure.foot = highest + (lowest - highest) * down;
      figure.y = figure.foot - figure.height / 2;
    } else {
      const double lowest = stand == Stand::air && chance < 0.8 ? 0.5 : 1;
      figure.y = figure.height / 2 + (lowest - figure.height) * down;
    }
    figure.x = figure.width / 2 + (1 - figure.width) * across;
    if (fits_in(figure, others)) return true;
  }
  return false;
}

std::string drawn_text(Dice& dice, bool& hangul) {
  hangul = dice.chance(0.3);
  if (hangul) return std::string(hangul_words()[dice.below(hangul_words().size())]);
  if (dice.chance(0.45)) return std::string(latin_words()[dice.below(latin_words().size())]);
  std::string text;
  for (std::size_t left = 1 + dice.below(4); left > 0; --left) text += kSignLetters[dice.below(kSignLetters.size())];
  return text;
}

// Chosen among the colours that boards have.
int board_colour(Dice& dice) {
  for (;;) {
    const std::size_t colour = dice.below(colours().size());
    if (colours()[colour].board[0] != 0) return static_cast<int>(colour);
  }
}

void add_sign(const Artwork& artwork, Scene& scene, double scale, std::vector<Figure>& figures, Dice& dice) {
  constexpr double kWidest = 0.66;
  bool hangul = false;
  Board board{.text = drawn_text(dice, hangul)};
  board.face = hangul ? kLatinFaces : static_cast<int>(dice.below(kLatinFaces));
  board.colour = board_colour(dice);
  Figure figure{.thing = static_cast<int>(sign_place()), .colour = board.colour};
  const double ems = board_width(artwork, board);
  const double wished = dice.between(0.125, 0.165) * scale;
  figure.light = 240 + static_cast<int>(dice.below(32));
  const bool pole = dice.chance(0.65);
  const double horizon = horizon_of(scene.backdrop);
  for (int tries = 0; tries < kTries; ++tries) {
    figure.scale = std::min(wished, kWidest / ems);
    figure.width = ems * figure.scale, figure.height = kBoardHeight * figure.scale;
    figure.x = figure.width / 2 + (1 - figure.width) * dice.share();
    figure.y = figure.height / 2 + dice.between(0.02, 0.92) * (1 - figure.height);
    const double bottom = figure.y + figure.height / 2;
    const double least = std::max(horizon + 0.04, bottom + 0.06), most = std::min(0.97, bottom + 0.3);
    const double down = dice.share();
    if (pole && least > most) continue;
    figure.foot = pole ? least + (most - least) * down : 0;
    if (!fits_in(figure, figures)) continue;
    scene.board = board;
    figures.push_back(figure);
    return;
  }
}

Figure new_figure(const std::vector<Figure>& figures, Dice& dice) {
  const bool again = !figures.empty() && !is_sign(figures.back()) && dice.chance(0.35);
  const std::size_t thing = again ? static_cast<std::size_t>(figures.back().thing) : dice.below(sign_place());
  Figure figure{.thing = static_cast<int>(thing)};
  if (things()[thing].hue >= 0) {
    figure.colour = static_cast<int>(dice.below(kTints));
    for (const Figure& other : figures)  // one colour for all of a kind
      if (other.thing == figure.thing) figure.colour = other.colour;
  }
  figure.flipped = dice.chance(0.5);
  figure.degrees = static_cast<int>(dice.below(21)) - 10;
  if (things()[thing].stand == Stand::ground && dice.chance(0.5)) figure.degrees = 0;
  figure.light = 228 + static_cast<int>(dice.below(48));
  return figure;
}

}  // namespace

std::vector<Figure> lay_out_figures(const Artwork& artwork, Scene& scene, double scale, Dice& dice) {
  constexpr std::array kUpTo = {0.04, 0.28, 0.55, 0.80};  // shares of scenes with no, at most one, two, three things
  std::vector<Figure> figures;
  if (dice.chance(0.58)) add_sign(artwork, scene, scale, figures, dice);
  const double share = dice.share();
  const auto count =
      static_cast<std::size_t>(std::ranges::count_if(kUpTo, [&](double up_to) { return share >= up_to; }));
  const double crowd = count >= 3 ? 0.88 : 1;
  constexpr double kLargest = 0.85;
  for (std::size_t i = 0; i < count; ++i) {
    Figure figure = new_figure(figures, dice);
    const double size = std::min(dice.between(0.2, 0.4) * crowd * scale, kLargest);
    if (place_thing(artwork, figure, size, horizon_of(scene.backdrop), figures, dice)) figures.push_back(figure);
  }
  return figures;
}

}  // namespace paligemma::world
