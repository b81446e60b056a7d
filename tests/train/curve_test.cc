#include "train/curve.h"

#include <gmock/gmock.h>

#include <cmath>

namespace paligemma::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++found;
  return found;
}

TEST(Curve, GoesFromCornerToCorner) {
  const std::string svg = curve_svg({"loss", {{{{0, 0}, {50, 1}, {100, 4}}}}});
  EXPECT_THAT(svg, HasSubstr("class=\"strong\" d=\"M56.0 166.0L197.0 127.0L338.0 10.0\""));
  EXPECT_THAT(svg, HasSubstr("aria-label=\"loss by step\""));
  for (const char* tick : {">0<", ">20<", ">100<", ">4<"}) EXPECT_THAT(svg, HasSubstr(tick));
}

TEST(Curve, LeavesGapsAndMarksPoints) {
  const std::string svg = curve_svg({"a<b", {{{{0, 1}, {1, NAN}, {2, 2}, {3, 1}}, CurveLine::Look::dotted}}});
  EXPECT_EQ(count(svg, "<circle"), 3);
  EXPECT_THAT(svg, HasSubstr("<title>step 2: 2</title>"));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_EQ(count(svg.substr(svg.find("\"strong\"")), "M"), 2);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

// A spike of one step in a hundred thousand stays visible, and the page small.
TEST(Curve, LongLinesKeepTheirExtremes) {
  CurveLine line;
  for (int i = 0; i < 100000; ++i) line.points.push_back({double(i), i == 54321 ? 100.0 : i % 2 * 1.0});
  const std::string svg = curve_svg({"loss", {line}});
  EXPECT_LT(svg.size(), 15000);
  EXPECT_THAT(svg, HasSubstr(" 10.0L"));
}

TEST(Curve, OfNothingOrOneValueHasAxes) {
  for (const Curve& curve : {Curve{"a", {}}, Curve{"a", {{{{1, NAN}}}}}, Curve{"a", {{{{5, 0}}}}},
                             Curve{"a", {{{{5, -1e300}, {6, 1e300}}}}}, Curve{"a", {{{{1, 2e-5}, {2, 2e-5}}}}}}) {
    const std::string svg = curve_svg(curve);
    EXPECT_GE(count(svg, "<text"), 2);
    EXPECT_LT(count(svg, "<text"), 20);
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(Curve, SmoothingIsAMeanOfWhatCameBefore) {
  const auto smooth = smoothed({{1, 4}, {2, NAN}, {3, 4}, {4, 1}}, 1);
  ASSERT_EQ(smooth.size(), 3);
  EXPECT_DOUBLE_EQ(smooth[1].y, 4);
  EXPECT_DOUBLE_EQ(smooth[2].y, (1 * 0.5 + 4 * 0.25 + 4 * 0.125) / 0.875);  // halved at each step
  EXPECT_EQ(smooth[2].x, 4);
}

TEST(Curve, ShortNumbers) {
  for (const auto& [value, text] : {std::pair{0.0, "0"},
                                    {12500.0, "12500"},
                                    {1.23456, "1.235"},
                                    {1.3e-6, "1.3e-06"},
                                    {0.04166, "0.04166"},
                                    {-2.5, "-2.5"},
                                    {1e9, "1e+09"},
                                    {double(NAN), "none"},
                                    {double(INFINITY), "none"}})
    EXPECT_EQ(short_number(value), text);
}

}  // namespace
}  // namespace paligemma::test
