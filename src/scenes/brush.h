// What places are painted with: cairo in shares of the picture's side, from the top left.
#pragma once

#include <cairo.h>

#include <initializer_list>

#include "data/dice.h"

namespace paligemma::world {

struct Shade {
  double r = 0, g = 0, b = 0;  // 0 to 255
  double opacity = 1;
};

// Towards `other` by a share from 0 to 1.
Shade between(const Shade& one, const Shade& other, double share);

struct Point {
  double x, y;
};

class Brush {
 public:
  Brush(cairo_t* cairo, Dice& dice) : cairo_(cairo), dice(dice) {}

  // A colour that is not the same in any two backdrops. Compilers evaluate the arguments of a call in any order: at
  // most one of them may throw the dice.
  Shade varied(const Shade& shade, double by = 12);

  // Of varied colours, as trees are.
  void sky(double bottom, const Shade& top, const Shade& low);
  // All between two heights, from one colour to the other.
  void band(double top, double bottom, const Shade& high, const Shade& low);
  void polygon(std::initializer_list<Point> points, const Shade& shade);
  void rectangle(double x, double y, double width, double height, const Shade& shade);
  void ellipse(double x, double y, double reach_x, double reach_y, const Shade& shade);
  void line(Point from, Point to, double width, const Shade& shade);
  // Bright in the middle, clear at the edge.
  void glow(double x, double y, double reach, const Shade& shade);
  // The land below a smooth line of so many bumps around a height, down to the picture's end.
  void ridge(double height, double amplitude, int bumps, const Shade& crest, const Shade& foot);

  void sun(double highest, double lowest, const Shade& shade);
  void clouds(int most, double lowest, const Shade& shade);
  void pine(double x, double foot, double height, const Shade& shade);
  void tree(double x, double foot, double height, const Shade& shade);

 private:
  void fill(const Shade& shade);

  cairo_t* cairo_;

 public:
  Dice& dice;
};

}  // namespace paligemma::world
