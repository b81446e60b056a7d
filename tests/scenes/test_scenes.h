// Scenes of tests.
#pragma once

#include <string_view>

#include "scenes/grammar.h"
#include "scenes/world.h"

namespace paligemma::test {

// Opened once for all tests.
inline const world::Artwork& artwork() {
  static const world::Artwork opened = world::open_artwork();
  return opened;
}

inline int thing_called(std::string_view name) {
  for (std::size_t i = 0; i < world::things().size(); ++i)
    if (world::things()[i].name == name) return static_cast<int>(i);
  return -1;
}

inline int colour_called(std::string_view name) {
  for (std::size_t i = 0; i < world::colours().size(); ++i)
    if (world::colours()[i].name == name) return static_cast<int>(i);
  return -1;
}

// A thing of 12 by 20 pixels with its left edge at `x`, all of its box seen.
inline world::Figure standing(std::string_view thing, int x, std::string_view colour = "") {
  world::Figure figure{.thing = thing_called(thing), .colour = colour.empty() ? -1 : colour_called(colour)};
  figure.box = {x, 60, x + 12, 80};
  figure.mask = {.x = x, .y = 60, .width = 12, .height = 20, .inside = std::vector<std::uint8_t>(12 * 20, 1)};
  return figure;
}

// On a beach of 112 pixels: a cow on the left, two red cars in the middle and on the right, a blue sign at the edge.
inline world::Scene beach_scene() {
  world::Scene scene{.seed = 7, .number = 12, .side = 112};
  scene.figures = {standing("cow", 10), standing("car", 50, "red"), standing("car", 80, "red"),
                   standing("sign", 96, "blue")};
  scene.board = {.text = "STOP", .colour = colour_called("blue")};
  return scene;
}

// In the snow, without anything.
inline world::Scene empty_scene() {
  world::Scene scene{.side = 112};
  while (world::places()[static_cast<std::size_t>(scene.backdrop.place)].name != "snow") ++scene.backdrop.place;
  return scene;
}

}  // namespace paligemma::test
