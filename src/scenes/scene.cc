#include "scenes/scene.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "scenes/layout.h"
#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr std::uint64_t kViews = 40;      // backdrops of a place that scenes share
constexpr std::uint64_t kSharing = 8192;  // scenes; the next so many have others
constexpr int kSeen = 127;                // a pixel is covered from here on

void check_options(const SceneOptions& options) {
  if (options.side < kLeastSide || options.side > kMostSide)
    fail(ErrorKind::usage, "bad_value", "cannot make a scene: side: expected ", kLeastSide, " to ", kMostSide,
         " pixels, got ", options.side);
  if (!(options.scale >= kLeastScale && options.scale <= kMostScale))
    fail(ErrorKind::usage, "bad_value", "cannot make a scene: scale: expected ", kLeastScale, " to ", kMostScale,
         ", got ", options.scale);
}

// Seeds that are neighbours in the generator would give the same numbers one place on: what its first output begins is
// not so.
std::uint64_t dice_seed(std::uint64_t seed, std::uint64_t number) { return splitmix64(splitmix64(seed, 0), number); }

Backdrop choose_backdrop(const Scene& scene, Dice& dice) {
  const auto place = dice.below(places().size());
  const std::uint64_t view = dice.below(kViews);
  const std::uint64_t shared = scene.number / kSharing * kViews + view;
  return {.place = static_cast<int>(place), .key = seed_of(~scene.seed, shared, place)};
}

Layer paint_figure(const Artwork& artwork, const Scene& scene, const Figure& figure) {
  const double side = scene.side;
  if (figure.thing == static_cast<int>(sign_place()))
    return paint_board(artwork, scene.board, figure.x * side, figure.y * side, figure.scale * side, figure.light,
                       scene.side);
  const auto& drawings = artwork.things[static_cast<std::size_t>(figure.thing)];
  return turn_out(drawings[figure.colour < 0 ? 0 : static_cast<std::size_t>(figure.colour)],
                  {.x = figure.x * side,
                   .y = figure.y * side,
                   .scale = figure.scale * side,
                   .degrees = figure.degrees,
                   .flipped = figure.flipped,
                   .light = figure.light},
                  scene.side);
}

// From the layer without the pixels in `taken`, (side, side), to which it adds its own.
void see(Figure& figure, std::vector<std::uint8_t>& taken, int side) {
  const Layer& layer = figure.layer;
  int left = layer.width, top = layer.height, right = 0, bottom = 0;
  std::vector<std::uint8_t> seen(layer.pixels.size());
  for (int y = 0; y < layer.height; ++y)
    for (int x = 0; x < layer.width; ++x) {
      const std::size_t at = static_cast<std::size_t>(y) * layer.width + x;
      std::uint8_t& pixel = taken[static_cast<std::size_t>(layer.y + y) * side + layer.x + x];
      if (layer.pixels[at] >> 24 <= kSeen || pixel) continue;
      pixel = seen[at] = 1;
      left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1),
      bottom = std::max(bottom, y + 1);
    }
  if (left >= right) {
    figure.mask = {}, figure.box = {};
    return;
  }
  figure.box = {layer.x + left, layer.y + top, layer.x + right, layer.y + bottom};
  figure.mask = {.x = layer.x + left, .y = layer.y + top, .width = right - left, .height = bottom - top};
  for (int y = top; y < bottom; ++y) {
    const auto row = seen.begin() + static_cast<std::ptrdiff_t>(y) * layer.width;
    figure.mask.inside.insert(figure.mask.inside.end(), row + left, row + right);
  }
}

// Back to front: by their feet; what has none hangs in front of what stands further away than where it ends.
void put_in_order(Scene& scene) {
  scene.order.resize(scene.figures.size());
  for (std::size_t i = 0; i < scene.order.size(); ++i) scene.order[i] = static_cast<int>(i);
  const auto depth = [&](int i) {
    const Figure& figure = scene.figures[static_cast<std::size_t>(i)];
    return std::pair(figure.y + figure.height / 2, i);
  };
  std::ranges::sort(scene.order, {}, depth);
}

}  // namespace

Scene make_scene(const Artwork& artwork, std::uint64_t seed, std::uint64_t number, const SceneOptions& options) {
  check_options(options);
  Dice dice(dice_seed(seed, number));
  Scene scene{.seed = seed, .number = number, .side = options.side};
  scene.backdrop = choose_backdrop(scene, dice);
  scene.mirrored = dice.chance(0.5);
  scene.light = 218 + static_cast<int>(dice.below(64));
  scene.figures = lay_out_figures(artwork, scene, options.scale, dice);
  for (Figure& figure : scene.figures) figure.layer = paint_figure(artwork, scene, figure);
  put_in_order(scene);

  std::vector<std::uint8_t> taken(static_cast<std::size_t>(scene.side) * scene.side);
  for (auto at = scene.order.rbegin(); at != scene.order.rend(); ++at)
    see(scene.figures[static_cast<std::size_t>(*at)], taken, scene.side);
  if (std::erase_if(scene.figures, [](const Figure& figure) { return figure.mask.inside.empty(); }) > 0 &&
      std::ranges::none_of(scene.figures,
                           [](const Figure& one) { return one.thing == static_cast<int>(sign_place()); }))
    scene.board = {};
  std::ranges::sort(scene.figures, {},
                    [](const Figure& figure) { return std::tuple(figure.box[0] + figure.box[2], figure.x, figure.y); });
  put_in_order(scene);
  return scene;
}

}  // namespace paligemma::world
