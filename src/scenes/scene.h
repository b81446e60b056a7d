// A scene of the drawn world: what stands where. It follows from a seed and a number alone, on every machine.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "scenes/artwork.h"
#include "scenes/backdrop.h"
#include "scenes/layer.h"
#include "scenes/sign.h"

namespace paligemma::world {

inline constexpr int kLeastSide = 112, kMostSide = 896;
inline constexpr double kLeastScale = 0.25, kMostScale = 4;

// What the PNG files of its pictures say of themselves (image/png_source.h).
inline constexpr std::string_view kPictureSource = "paligemma scenes";

struct SceneOptions {
  int side = 112;    // pixels
  double scale = 1;  // of things and letters beside their usual size
};

// A thing of a scene, the sign too. Lengths are shares of the picture's side.
struct Figure {
  int thing = 0;        // in things()
  int colour = -1;      // in colours(), where the thing is tinted, or of the board
  double x = 0, y = 0;  // of the middle
  double width = 0, height = 0;
  double scale = 0;  // picture's sides for a pixel of the drawing; of a sign for an em
  int degrees = 0;
  bool flipped = false;
  int light = 256;
  double foot = 0;  // where it, or the sign's pole, meets the ground; 0: nowhere
  Layer layer{};    // its pixels
  // What is to be seen of it: the pixels that are more than half covered, and by nothing in front. The box encloses
  // exactly these: x1 y1 x2 y2, x2 and y2 exclusive.
  Mask mask{};
  std::array<int, 4> box{};
};

struct Scene {
  std::uint64_t seed = 0, number = 0;
  int side = 0;
  Backdrop backdrop{};
  bool mirrored = false;          // the backdrop
  int light = 256;                // of the backdrop
  std::vector<Figure> figures{};  // by the middles of their boxes, left to right
  std::vector<int> order{};       // of the figures, from the back to the front
  Board board{};                  // its text is empty without a sign
};

// The same things at the same places for any side, as far as pixels allow. Throws Error{usage, "bad_value"} for
// options outside their limits.
Scene make_scene(const Artwork& artwork, std::uint64_t seed, std::uint64_t number, const SceneOptions& options = {});

// (side, side, 3). Throws Error{usage, "no_drawing"} in a library that was built without drawing.
Picture draw(const Scene& scene, BackdropStore& backdrops);

}  // namespace paligemma::world
