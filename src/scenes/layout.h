// Where the figures of a scene go, before there are pixels.
#pragma once

#include <vector>

#include "data/dice.h"
#include "scenes/scene.h"

namespace paligemma::world {

// Throws the dice for all that is in a scene, and gives its figures in the order of the throws. A figure for which
// there is no room is left out. The scene has its backdrop.
std::vector<Figure> lay_out_figures(const Artwork& artwork, Scene& scene, double scale, Dice& dice);

}  // namespace paligemma::world
