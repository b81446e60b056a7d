// The sign of a scene: a board with one word on it.
#pragma once

#include <string>

#include "scenes/artwork.h"
#include "scenes/layer.h"

namespace paligemma::world {

struct Board {
  std::string text{};
  int face = 0;    // in Artwork::faces
  int colour = 0;  // in colours()
};

// Width and height of a board in ems of its letters.
double board_width(const Artwork& artwork, const Board& board);
inline constexpr double kBoardHeight = 1.22;

// The board with its middle at a place, in pixels of a picture. Its edges are whole pixels, of which all are covered.
Layer paint_board(const Artwork& artwork, const Board& board, double x, double y, double em, int light, int side);

}  // namespace paligemma::world
