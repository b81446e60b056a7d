#include "train/curve.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "report/printable.h"

namespace paligemma {
namespace {

constexpr double kWidth = 360, kHeight = 190;
constexpr double kLeft = 56, kRight = 338, kTop = 10, kBottom = 166;  // of the area of the lines
constexpr int kTicksAcross = 5, kTicksUp = 5;

struct CurveRange {
  double low = 0, high = 1;
  double place(double value, double from, double to) const { return from + (value - low) / (high - low) * (to - from); }
};

// 1, 2 or 5 times a power of ten, the smallest that makes at most `most` steps.
double tick_step(const CurveRange& range, int most) {
  const double least = (range.high - range.low) / most;
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1, 2, 5})
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

// The smallest range that holds all finite values of one axis, never empty.
template <class Value>
CurveRange range_of(const Curve& curve, Value value) {
  CurveRange range{INFINITY, -INFINITY};
  for (const CurveLine& line : curve.lines)
    for (const CurvePoint& point : line.points) {
      if (!std::isfinite(point.y)) continue;
      range.low = std::min<double>(range.low, value(point));
      range.high = std::max<double>(range.high, value(point));
    }
  if (range.low > range.high) return {0, 1};
  const double least = std::max(std::abs(range.high) * 1e-6, 1e-30);
  if (range.high - range.low < least) range.low -= range.low == 0 ? 0 : least, range.high += range.low == 0 ? 1 : least;
  return range;
}

std::string place_text(double value) { return fixed(value, 1); }

// Points that fall on one pixel, as their lowest and highest in the order in which they come.
std::vector<CurvePoint> thinned(const std::vector<CurvePoint>& points, const CurveRange& across) {
  const auto pixel = [&](const CurvePoint& point) {
    return static_cast<std::int64_t>(across.place(point.x, kLeft, kRight));
  };
  std::vector<CurvePoint> out;
  for (std::size_t i = 0, end; i < points.size(); i = end) {
    end = i + 1;
    if (!std::isfinite(points[i].y)) {
      out.push_back(points[i]);
      continue;
    }
    std::size_t low = i, high = i;
    for (; end < points.size() && std::isfinite(points[end].y) && pixel(points[end]) == pixel(points[i]); ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    out.push_back(points[std::min(low, high)]);
    if (low != high) out.push_back(points[std::max(low, high)]);
  }
  return out;
}

std::string path_of(const std::vector<CurvePoint>& points, const CurveRange& across, const CurveRange& up) {
  std::string path;
  bool drawing = false;
  for (const CurvePoint& point : points) {
    if (std::isfinite(point.y))
      path += join(drawing ? "L" : "M", place_text(across.place(point.x, kLeft, kRight)), " ",
                   place_text(up.place(point.y, kBottom, kTop)));
    drawing = std::isfinite(point.y);
  }
  return path;
}

std::string line_svg(const CurveLine& line, const CurveRange& across, const CurveRange& up) {
  const bool dotted = line.look == CurveLine::Look::dotted;
  const std::string path = path_of(thinned(line.points, across), across, up);
  std::string out;
  if (!path.empty())
    out += join("<path class=\"", line.look == CurveLine::Look::faint ? "faint" : "strong", "\" d=\"", path, "\"/>");
  for (const CurvePoint& point : line.points)
    if (dotted && std::isfinite(point.y))
      out += join("<circle class=\"dot\" r=\"3\" cx=\"", place_text(across.place(point.x, kLeft, kRight)), "\" cy=\"",
                  place_text(up.place(point.y, kBottom, kTop)), "\"><title>step ", short_number(point.x), ": ",
                  short_number(point.y), "</title></circle>");
  return out;
}

std::string label_svg(double x, double y, const char* anchor, double value, double step) {
  return join("<text x=\"", place_text(x), "\" y=\"", place_text(y), "\" text-anchor=\"", anchor, "\">",
              short_number(std::abs(value) < step / 2 ? 0 : value), "</text>");
}

std::string axes_svg(const CurveRange& across, const CurveRange& up) {
  std::string out;
  const double up_step = tick_step(up, kTicksUp);
  for (double value = std::ceil(up.low / up_step - 1e-9) * up_step; value <= up.high + up_step * 1e-9;
       value += up_step) {
    const double y = up.place(value, kBottom, kTop);
    out += join("<path class=\"grid\" d=\"M", place_text(kLeft), " ", place_text(y), "H", place_text(kRight), "\"/>",
                label_svg(kLeft - 6, y + 4, "end", value, up_step));
  }
  const double step = std::max(1.0, tick_step(across, kTicksAcross));
  for (double value = std::ceil(across.low / step - 1e-9) * step; value <= across.high + step * 1e-9; value += step)
    out += label_svg(across.place(value, kLeft, kRight), kBottom + 18, "middle", value, step);
  return out;
}

}  // namespace

std::string short_number(double value) {
  if (!std::isfinite(value)) return "none";
  const double size = std::abs(value);
  if (value == std::floor(value) && size < 1e7) return fixed(value, 0);
  char text[32];
  const int digits = size >= 1e-3 && size < 1e7 ? 4 : 3;
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits).ptr};
}

std::vector<CurvePoint> smoothed(const std::vector<CurvePoint>& points, double steps) {
  const double keep = std::exp2(-1 / std::max(steps, 1e-3));
  std::vector<CurvePoint> out;
  double sum = 0, weight = 0;
  for (const CurvePoint& point : points) {
    if (!std::isfinite(point.y)) continue;
    sum = keep * sum + (1 - keep) * point.y;
    weight = keep * weight + (1 - keep);
    out.push_back({point.x, sum / weight});
  }
  return out;
}

std::string curve_svg(const Curve& curve) {
  const CurveRange across = range_of(curve, [](const CurvePoint& point) { return point.x; });
  CurveRange up = range_of(curve, [](const CurvePoint& point) { return point.y; });
  const double step = tick_step(up, kTicksUp);
  up = {std::floor(up.low / step + 1e-9) * step, std::ceil(up.high / step - 1e-9) * step};
  std::string out = join("<svg viewBox=\"0 0 ", place_text(kWidth), " ", place_text(kHeight),
                         "\" role=\"img\" aria-label=\"", printable_markup(curve.title), " by step\">");
  out += axes_svg(across, up);
  for (const CurveLine& line : curve.lines) out += line_svg(line, across, up);
  return out + "</svg>";
}

}  // namespace paligemma
