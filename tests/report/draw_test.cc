// Looks at pixels of drawings: where things must be seen, and where the picture must be as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "image/encode.h"
#include "object.h"
#include "report/paint.h"

namespace paligemma {
namespace {

// A pattern in which no two neighbours are alike, and no pixel has a colour of the palette.
Picture pattern(int width, int height) {
  Picture picture{.width = width, .height = height};
  picture.rgb.resize(3 * static_cast<std::size_t>(width) * height);
  for (std::size_t i = 0; i < picture.rgb.size(); ++i) picture.rgb[i] = static_cast<std::uint8_t>(60 + i * 7 % 130);
  return picture;
}

Rgb at(const Picture& picture, double x, double y) {
  const auto* rgb = &picture.rgb[3 * (static_cast<std::size_t>(y) * picture.width + static_cast<std::size_t>(x))];
  return {rgb[0], rgb[1], rgb[2]};
}

Result found(std::vector<Object> objects) { return {.task = Task::segment, .objects = std::move(objects)}; }

Scene scene_of(const Picture& picture, const Result& result, const Typesetter& typesetter, DrawOptions options = {}) {
  return lay_out(picture.width, picture.height, result, options,
                 [&](auto& block) { return typesetter.measure(block); });
}

Picture painted(const Picture& picture, const Result& result, DrawOptions options = {}) {
  const Typesetter typesetter;
  return paint(picture, scene_of(picture, result, typesetter, options), typesetter);
}

// Pixels of `rect` that are nearer to `ink` than to `ground`.
int count_ink(const Picture& picture, const Rect& rect, Rgb ink, Rgb ground) {
  const auto distance = [](Rgb a, Rgb b) { return std::abs(a.r - b.r) + std::abs(a.g - b.g) + std::abs(a.b - b.b); };
  int count = 0;
  for (double y = rect.y1; y < rect.y2; ++y)
    for (double x = rect.x1; x < rect.x2; ++x)
      count += distance(at(picture, x, y), ink) < distance(at(picture, x, y), ground);
  return count;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Draw, BoxHasTheLabelsColourOnItsFourEdges) {
  const Picture picture = pattern(640, 480);
  const Picture drawing = painted(picture, found({object("cow", {100.4, 80.2, 300.6, 250})}));
  const Rgb colour = label_colour("cow", 0);
  for (double x = 101; x < 300; ++x) {
    EXPECT_EQ(at(drawing, x, 80), colour) << x;
    EXPECT_EQ(at(drawing, x, 249), colour) << x;
  }
  for (double y = 81; y < 249; ++y) {
    EXPECT_EQ(at(drawing, 100, y), colour) << y;
    EXPECT_EQ(at(drawing, 300, y), colour) << y;
  }
}

TEST(Draw, ThePictureIsAsItWasInsideAndOutsideOfABox) {
  const Picture picture = pattern(640, 480);
  const Picture drawing = painted(picture, found({object("cow", {100, 80, 300, 250})}));
  for (int y = 0; y < 480; ++y)
    for (int x = 0; x < 640; ++x) {
      const bool inside = x >= 104 && x < 296 && y >= 84 && y < 246;
      const bool outside = x < 96 || x > 304 || y < 55 || y > 254;  // the label is above
      if (inside || outside) {
        ASSERT_EQ(at(drawing, x, y), at(picture, x, y)) << x << ' ' << y;
      }
    }
}

TEST(Draw, MaskTintsItsInsideOnly) {
  const Picture picture = pattern(640, 480);
  Object masked = object("cow", {100, 80, 300, 280});
  masked.mask = Mask{.x = 100, .y = 80, .width = 200, .height = 200};  // a ring, 40 to 160 with a hole 80 to 120
  for (int y = 0; y < 200; ++y)
    for (int x = 0; x < 200; ++x)
      masked.mask->inside.push_back(x >= 40 && x < 160 && y >= 40 && y < 160 &&
                                    !(x >= 80 && x < 120 && y >= 80 && y < 120));
  const Rgb colour = label_colour("cow", 0);
  constexpr double kRounding = 1.5;  // opacity, colour times opacity and the sum are each rounded to 8 bits
  for (const double opacity : {0.45, 1.0, 0.0}) {
    const Picture drawing = painted(picture, found({masked}), {.mask_opacity = opacity});
    const auto expect_tinted = [&](double x, double y) {
      const Rgb before = at(picture, x, y), after = at(drawing, x, y);
      EXPECT_NEAR(after.r, opacity * colour.r + (1 - opacity) * before.r, kRounding) << x << ' ' << y;
      EXPECT_NEAR(after.g, opacity * colour.g + (1 - opacity) * before.g, kRounding) << x << ' ' << y;
      EXPECT_NEAR(after.b, opacity * colour.b + (1 - opacity) * before.b, kRounding) << x << ' ' << y;
    };
    for (int i = 145; i < 215; ++i) expect_tinted(i, 150), expect_tinted(160, i);
    for (int i = 105; i < 135; ++i) EXPECT_EQ(at(drawing, i, 170), at(picture, i, 170)) << "outside of the mask";
    for (int i = 185; i < 215; ++i) EXPECT_EQ(at(drawing, i, 180), at(picture, i, 180)) << "in the hole";
    for (int i = 145; i < 255; ++i) EXPECT_EQ(at(drawing, i, 120), colour) << "on the outline";
  }
}

// Width and height of a picture.
class DrawAt : public testing::TestWithParam<std::pair<int, int>> {};

TEST_P(DrawAt, EdgesAndLabelAreSeen) {
  const auto [width, height] = GetParam();
  const Picture picture = pattern(width, height);
  const Result result = found({object("cow", {0.2 * width, 0.3 * height, 0.8 * width, 0.9 * height}, 0.91)});
  const Typesetter typesetter;
  const Scene scene = scene_of(picture, result, typesetter);
  const Picture drawing = paint(picture, scene, typesetter);
  const Rgb colour = label_colour("cow", 0);

  // Whole edges, across the tiles that large pictures are painted in.
  const double x1 = std::round(0.2 * width), x2 = std::round(0.8 * width) - 1;
  const double y1 = std::round(0.3 * height), y2 = std::round(0.9 * height) - 1;
  for (double x = x1; x <= x2; ++x) ASSERT_TRUE(at(drawing, x, y1) == colour && at(drawing, x, y2) == colour) << x;
  for (double y = y1; y <= y2; ++y) ASSERT_TRUE(at(drawing, x1, y) == colour && at(drawing, x2, y) == colour) << y;
  EXPECT_EQ(at(drawing, 0.5 * width, 0.6 * height), at(picture, 0.5 * width, 0.6 * height));
  EXPECT_EQ(at(drawing, width - 1, height - 1), at(picture, width - 1, height - 1));

  const Rect& plate = scene.plates.at(0).rect;
  ASSERT_TRUE(plate.x1 >= 0 && plate.y1 >= 0 && plate.x2 <= width && plate.y2 <= height);
  EXPECT_LT(plate.width() * plate.height(), 0.15 * width * height);
  const int pixels = static_cast<int>(plate.width() * plate.height());
  const int ink = count_ink(drawing, plate, ink_on(colour), colour);
  EXPECT_GT(ink, pixels / 20);
  EXPECT_LT(ink, pixels / 2);
  for (double x = plate.x1; x < plate.x2; ++x) EXPECT_EQ(at(drawing, x, plate.y2 - 1), colour) << "letters are cut off";
  for (double y = plate.y1; y < plate.y2; ++y) EXPECT_EQ(at(drawing, plate.x2 - 1, y), colour) << "letters are cut off";
}

INSTANTIATE_TEST_SUITE_P(Sizes, DrawAt, testing::Values(std::pair{64, 64}, std::pair{640, 480}, std::pair{8000, 6000}));

// The ink that a label gives, and the width of its plate.
struct Ink {
  int pixels;
  double width;
};

Ink ink_of(const std::string& label) {
  const Picture picture = pattern(640, 480);
  const Result result = found({object(label, {100, 100, 500, 400})});
  const Typesetter typesetter;
  const Scene scene = scene_of(picture, result, typesetter);
  const Plate& plate = scene.plates.at(0);
  return {count_ink(paint(picture, scene, typesetter), plate.rect, ink_on(plate.colour), plate.colour),
          plate.rect.width()};
}

TEST(Draw, LabelsOfManyScriptsGiveInk) {
  for (const char* label : {"cow", "소와 사자", "بقرة كبيرة", "пчела", "αγελάδα", "牛"}) {
    const Ink ink = ink_of(label);
    EXPECT_GT(ink.pixels, 20) << label;
    EXPECT_GT(ink.width, 15) << label;
  }
}

TEST(Draw, TextIsNoMarkup) {
  EXPECT_GT(ink_of("<b>x</b>").width, ink_of("x").width + 30);
  EXPECT_GT(ink_of("&amp;").width, ink_of("&").width + 20);
}

TEST(Draw, ArabicIsJoinedAndRunsFromTheRight) {
  // Joined letters are narrower than the same letters apart.
  EXPECT_LT(ink_of("بببببب").width, ink_of("ب\u200cب\u200cب\u200cب\u200cب\u200cب").width);
}

TEST(Draw, ALabelHasOneColourInEveryPicture) {
  const Picture picture = pattern(640, 480);
  Object invented = object("zebra", {100, 100, 200, 200});
  invented.label_index.reset();
  Object other = object("cow", {300, 100, 400, 200});
  const Rgb alone = at(painted(picture, found({invented})), 150, 199);
  EXPECT_EQ(at(painted(picture, found({other, invented, other})), 150, 199), alone);
}

TEST(Draw, AnswerStandsBelowThePicture) {
  const Picture picture = pattern(640, 480);
  const Picture drawing =
      painted(picture, {.task = Task::caption, .prompt = "caption ko", .answer = "해변에 소가 있다"});
  EXPECT_EQ(drawing.width, 640);
  ASSERT_GT(drawing.height, 500);
  EXPECT_TRUE(std::equal(picture.rgb.begin(), picture.rgb.end(), drawing.rgb.begin()));
  const Rgb ground = at(drawing, 639, 480);
  const Rect bar{0, 480, 640, static_cast<double>(drawing.height)};
  EXPECT_GT(count_ink(drawing, bar, ink_on(ground), ground), 200);
  for (int x = 0; x < 640; ++x) EXPECT_EQ(at(drawing, x, drawing.height - 1), ground);
}

TEST(Draw, LongAnswersAreWrappedInsideTheBar) {
  std::string answer;
  for (int i = 0; i < 60; ++i) answer += "a cow and a lion ";
  const Picture drawing = painted(pattern(640, 480), {.task = Task::caption, .answer = answer});
  ASSERT_GT(drawing.height, 600);
  const Rgb ground = at(drawing, 0, 481);
  for (int y = 480; y < drawing.height; ++y) {
    EXPECT_EQ(at(drawing, 0, y), ground);
    EXPECT_EQ(at(drawing, 639, y), ground);
  }
}

TEST(Draw, PicturesWiderThanASurfaceOfCairo) {
  const Picture picture = pattern(40000, 50);
  const Result result = found({object("cow", {30000, 10, 39000, 40}, 0.5)});
  const Picture drawing = painted(picture, result);
  for (double x = 30000; x < 39000; ++x) ASSERT_EQ(at(drawing, x, 39), label_colour("cow", 0)) << x;
  try {
    draw(picture, result, "svg");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "picture_too_large");
  }
}

TEST(Draw, TheSmallestPicture) {
  const Result result = found({object("cow", {0, 0, 1, 1}, 0.5)});
  const Picture drawing = painted(pattern(1, 1), result);
  EXPECT_EQ(at(drawing, 0, 0), label_colour("cow", 0));
}

TEST(Draw, PngIsThePaintedPicture) {
  const Picture picture = pattern(64, 64);
  const Result result = found({object("cow", {10, 20, 50, 60}, 0.91)});
  const std::vector<std::byte> png = draw(picture, result, "png");
  EXPECT_EQ(decode_picture(png).rgb, painted(picture, result).rgb);
}

TEST(Draw, JpegAndWebpAreNearIt) {
  const Picture picture{.width = 200, .height = 100, .rgb = std::vector<std::uint8_t>(200 * 100 * 3, 128)};
  const Result result{.task = Task::caption, .answer = "gray"};
  const Picture expected = painted(picture, result);
  for (const std::string_view format : {"jpg", "webp"}) {
    const Picture drawing = decode_picture(draw(picture, result, format));
    EXPECT_EQ(drawing.width, expected.width);
    ASSERT_EQ(drawing.height, expected.height);
    EXPECT_NEAR(at(drawing, 100, 50).g, 128, 3);
    EXPECT_NEAR(at(drawing, 1, expected.height - 2).g, at(expected, 1, expected.height - 2).g, 6);
  }
}

std::string decode_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) continue;
    bits = bits << 6 | static_cast<unsigned>(digit), count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return out;
}

// The picture in `svg`, which must be embedded as `mime`.
Picture embedded_in(const std::string& svg, const std::string& mime) {
  const std::string begin = "\"data:" + mime + ";base64,";
  const std::size_t from = svg.find(begin);
  if (from == svg.npos) throw std::runtime_error("no " + mime + " in the SVG");
  const std::string_view rest = std::string_view(svg).substr(from + begin.size());
  return decode_picture(bytes_of(decode_base64(rest.substr(0, rest.find('"')))));
}

TEST(Draw, SvgHoldsThePictureAndShapes) {
  const Picture flat{.width = 300, .height = 200, .rgb = std::vector<std::uint8_t>(300 * 200 * 3, 200)};
  const std::string svg = text_of(draw(flat, found({object("<script>", {50, 60, 250, 190}, 0.5)}), "svg"));
  EXPECT_NE(svg.find("width=\"300px\" height=\"200px\" viewBox=\"0 0 300 200\""), svg.npos);
  EXPECT_EQ(svg.find("<script"), svg.npos);
  EXPECT_NE(svg.find("<path"), svg.npos);
  EXPECT_EQ(embedded_in(svg, "image/png").rgb, flat.rgb);
}

TEST(Draw, SvgHoldsPhotographsAsJpeg) {
  Picture noise = pattern(300, 200);  // what PNG can't compress
  unsigned state = 1;
  for (std::uint8_t& level : noise.rgb) level = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  const std::string svg = text_of(draw(noise, {.task = Task::caption, .answer = "noise"}, "svg"));
  const Picture embedded = embedded_in(svg, "image/jpeg");
  EXPECT_EQ(embedded.width, 300);
  EXPECT_EQ(embedded.height, 200);
}

TEST(Draw, RefusesWhatIsNoPictureOrFormat) {
  const auto code_of = [](const Picture& picture, std::string_view format) -> std::string {
    try {
      draw(picture, {}, format);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.code();
    }
  };
  EXPECT_EQ(code_of({}, "png"), "bad_picture");
  EXPECT_EQ(code_of({.width = -1, .height = -1, .rgb = {1, 2, 3}}, "png"), "bad_picture");
  EXPECT_EQ(code_of({.width = 2, .height = 2, .rgb = {1, 2, 3}}, "svg"), "bad_picture");
  EXPECT_NE(code_of(pattern(2, 2), "tiff"), "");
}

}  // namespace
}  // namespace paligemma
