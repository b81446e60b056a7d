#include "scenes/sign.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr double kMargin = 0.3;      // ems beside the letters
constexpr double kGap = 0.11;        // ems between letters that are set by their ink
constexpr double kEdgeWidth = 0.06;  // ems

// Letters from the left: the middle of each one's ink, in ems from the text's begin.
struct SetLetter {
  std::string_view letter;
  const Drawing* drawing;
  double x;
};

struct SetText {
  std::vector<SetLetter> letters{};
  double width = 0;
};

SetText set_text(const Face& face, std::string_view text) {
  SetText set;
  while (!text.empty()) {
    const auto found =
        std::ranges::find_if(face.letters, [&](const std::string& one) { return text.starts_with(one); });
    if (found == face.letters.end()) break;
    const Drawing& drawing = face.drawings[static_cast<std::size_t>(found - face.letters.begin())];
    const double ink = static_cast<double>(drawing.ink[2] - drawing.ink[0]) / kLetterEm;
    const double advance = face.pitch > 0 ? static_cast<double>(face.pitch) / kLetterEm : ink + kGap;
    set.letters.push_back({*found, &drawing, set.width + advance / 2});
    set.width += advance;
    text.remove_prefix(found->size());
  }
  if (face.pitch == 0 && !set.letters.empty()) set.width -= kGap;
  if (face.pitch == 0)
    for (SetLetter& letter : set.letters) letter.x -= kGap / 2;
  return set;
}

std::uint32_t opaque(const std::array<std::uint8_t, 3>& colour, int light) {
  const auto channel = [&](std::size_t i) {
    return std::min<std::uint32_t>(colour[i] * static_cast<std::uint32_t>(light) >> 8, 255);
  };
  return channel(0) | channel(1) << 8 | channel(2) << 16 | 0xff000000;
}

Layer blank_board(double x, double y, double width, double height, double edge, const Colour& colour, int light,
                  int side) {
  const auto whole = [&](double at) { return std::clamp(static_cast<int>(std::floor(at + 0.5)), 0, side); };
  Layer layer{.x = whole(x - width / 2), .y = whole(y - height / 2)};
  layer.width = whole(x + width / 2) - layer.x, layer.height = whole(y + height / 2) - layer.y;
  const std::uint32_t inside = opaque(colour.board, light), border = opaque(colour.board, light * 5 / 8);
  const int thick = std::max(1, static_cast<int>(std::floor(edge + 0.5)));
  for (int row = 0; row < layer.height; ++row)
    for (int column = 0; column < layer.width; ++column) {
      const int nearest = std::min({row, column, layer.height - 1 - row, layer.width - 1 - column});
      layer.pixels.push_back(nearest < thick ? border : inside);
    }
  return layer;
}

}  // namespace

double board_width(const Artwork& artwork, const Board& board) {
  return set_text(artwork.faces[static_cast<std::size_t>(board.face)], board.text).width + 2 * kMargin;
}

std::vector<BoardLetter> letters_of(const Artwork& artwork, const Board& board) {
  const Face& face = artwork.faces[static_cast<std::size_t>(board.face)];
  const SetText text = set_text(face, board.text);
  std::vector<BoardLetter> letters;
  for (const SetLetter& letter : text.letters) {
    const auto& ink = letter.drawing->ink;
    letters.push_back({.letter = std::string(letter.letter),
                       .x = letter.x - text.width / 2,
                       .y = ((ink[1] + ink[3]) * 0.5 - face.middle) / kLetterEm,
                       .width = static_cast<double>(ink[2] - ink[0]) / kLetterEm,
                       .height = static_cast<double>(ink[3] - ink[1]) / kLetterEm});
  }
  return letters;
}

Layer paint_board(const Artwork& artwork, const Board& board, double x, double y, double em, int light, int side) {
  const Face& face = artwork.faces[static_cast<std::size_t>(board.face)];
  const SetText text = set_text(face, board.text);
  const Colour& colour = colours()[static_cast<std::size_t>(board.colour)];
  Layer layer =
      blank_board(x, y, (text.width + 2 * kMargin) * em, kBoardHeight * em, kEdgeWidth * em, colour, light, side);
  const double scale = em / kLetterEm;
  for (const SetLetter& letter : text.letters) {
    const double middle = (letter.drawing->ink[1] + letter.drawing->ink[3]) * 0.5;
    Layer drawn = turn_out(
        *letter.drawing,
        {.x = x + (letter.x - text.width / 2) * em, .y = y + (middle - face.middle) * scale, .scale = scale}, side);
    if (colour.dark_letters)
      for (std::uint32_t& pixel : drawn.pixels) pixel &= 0xff000000;
    lay_over(layer, drawn);
  }
  return layer;
}

}  // namespace paligemma::world
