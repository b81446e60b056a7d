// The sign of a scene: a board with one word on it.
#pragma once

#include <string>
#include <vector>

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

// A letter and its ink, with its middle from that of the board, in ems.
struct BoardLetter {
  std::string letter{};
  double x = 0, y = 0, width = 0, height = 0;
};
std::vector<BoardLetter> letters_of(const Artwork& artwork, const Board& board);

// The board with its middle at a place, in pixels of a picture. Its edges are whole pixels, of which all are covered.
Layer paint_board(const Artwork& artwork, const Board& board, double x, double y, double em, int light, int side);

}  // namespace paligemma::world
