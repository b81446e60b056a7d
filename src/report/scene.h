// stage 8/8: a result -> where everything of its drawing goes, before anything is painted.
//
// Coordinates are pixels of the canvas: the picture, and below it a bar when there is an answer to show.
#pragma once

#include <paligemma/paligemma.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "report/palette.h"

namespace paligemma {

// A piece of text as it is typeset. Plain text: nothing in it is markup.
struct TextBlock {
  std::string text{};  // printable UTF-8
  double size = 0;     // of the font, pixels
  bool bold = false;
  double max_width = 0;   // what is longer ends in an ellipsis, or is wrapped; 0: no limit
  double max_height = 0;  // wrapped to lines up to this height, then an ellipsis; 0: one line
};

struct TextSize {
  double width = 0, height = 0;
  double baseline = 0;  // of the first line, from the top
};

using MeasureText = std::function<TextSize(const TextBlock&)>;

struct PlacedText {
  TextBlock block{};
  double x = 0, y = 0;  // top left
  double opacity = 1;
};

// Left, top, right, bottom.
struct Rect {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  double width() const { return x2 - x1; }
  double height() const { return y2 - y1; }
};

// A coloured rectangle with text on it.
struct Plate {
  Rect rect{};
  Rgb colour{};
  std::vector<PlacedText> texts{};
};

// A box as a frame between two rectangles of whole pixels, `line` thick, and the outlines of its mask.
struct Shape {
  Rect outer{}, inner{};
  Rgb colour{};
  std::vector<std::vector<double>> mask{};  // closed polygons x1 y1 x2 y2 ..., even-odd
};

struct Scene {
  int width = 0, height = 0;  // of the canvas
  double line = 1;            // thickness of frames and outlines
  double halo = 1;            // thickness of the contrasting edge around them
  double mask_opacity = 0;
  std::vector<Shape> shapes{};  // the largest first, so that small ones stay visible
  std::vector<Plate> plates{};  // labels, inside the picture; they cover one another only where there is no room
  std::optional<Plate> bar{};   // prompt and answer of a result without objects, below the picture
};

// Sizes follow the picture's: 1 pixel lines at 64 x 64, 3 at 640 x 480, 29 at 8000 x 6000. Pictures too small for
// letters get none. Throws Error{usage, "mask"} for a mask whose size is not that of its pixels.
Scene lay_out(int picture_width, int picture_height, const Result& result, const DrawOptions& options,
              const MeasureText& measure);

}  // namespace paligemma
