// Curves over steps as inline SVG. Colours and fonts are classes of the page that holds them (train/run_report.cc).
#pragma once

#include <string>
#include <vector>

namespace paligemma {

struct CurvePoint {
  double x = 0, y = 0;
};

struct CurveLine {
  enum class Look { faint, strong, dotted };  // dotted: each point is marked and says its numbers
  std::vector<CurvePoint> points{};           // in order of x; a y that is not finite leaves a gap
  Look look = Look::strong;
};

struct Curve {
  std::string title{};
  std::vector<CurveLine> lines{};
};

// `markup` of its own size, which the page may scale: 360 by 190. A line of more points than pixels is drawn as the
// lowest and highest of each pixel.
std::string curve_svg(const Curve& curve);

// Each y made the weighted mean of those before it, half of the weight lying within `steps` points. Points that are
// not finite are left out.
std::vector<CurvePoint> smoothed(const std::vector<CurvePoint>& points, double steps);

// `value` with so many digits as tell it from its neighbours: "0.0417", "1.3e-06", "12500".
std::string short_number(double value);

}  // namespace paligemma
