#include "report/scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "report/printable.h"

namespace paligemma {
namespace {

// More than fits anywhere; typesetting takes time in proportion to the text.
constexpr std::size_t kMaxLabel = 200;
constexpr std::size_t kMaxAnswer = 4000;

struct Style {
  double line, halo;  // pixels
  double font;        // of labels
  bool letters;       // the picture has room for labels
};

Style style_of(int width, int height) {
  const double shorter = std::min(width, height);
  // Thin strips would get letters as high as themselves.
  const double extent = std::min(std::sqrt(double{1} * width * height), 3 * shorter);
  const double line = std::max(1.0, std::round(0.9 + 0.004 * extent));
  const double font = std::max(7.0, 5 + 0.018 * extent);
  return {.line = line, .halo = std::max(1.0, std::round(0.4 * line)), .font = font, .letters = shorter >= 6 * font};
}

// The first `count` code points of printable text, with an ellipsis when there were more.
std::string beginning(std::string text, std::size_t count) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (begins && count-- == 0) return text.substr(0, i) + "\u2026";
  }
  return text;
}

// Printable, but lines stay lines.
std::string printable_lines(std::string_view text) {
  std::string out;
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1))
    out += printable(text.substr(0, end)) + '\n';
  return out + printable(text);
}

Rect intersect(const Rect& a, const Rect& b) {
  return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

double area(const Rect& rect) { return std::max(0.0, rect.width()) * std::max(0.0, rect.height()); }

// The frame's middle runs along the box; at the picture's edges the whole frame is inside.
Shape make_shape(const Object& object, const Rect& picture, double line) {
  const auto along = [](double side, double limit) { return std::clamp(std::round(side), 0.0, limit); };
  const double outside = std::floor(line / 2);
  const Rect box{along(object.box[0], picture.x2), along(object.box[1], picture.y2), along(object.box[2], picture.x2),
                 along(object.box[3], picture.y2)};
  Shape shape{.colour = label_colour(object.label, object.label_index)};
  shape.outer = intersect({box.x1 - outside, box.y1 - outside, box.x2 + outside, box.y2 + outside}, picture);
  shape.inner = {shape.outer.x1 + line, shape.outer.y1 + line, shape.outer.x2 - line, shape.outer.y2 - line};
  if (object.mask) shape.mask = polygons(*object.mask);
  return shape;
}

// A plate at the origin with label and score side by side on one baseline; no texts when there is nothing to say.
Plate make_plate(const Object& object, double max_width, double font, bool with_score, const MeasureText& measure) {
  const double pad = std::round(0.35 * font), gap = 0.45 * font;
  TextBlock label{.text = beginning(printable(object.label), kMaxLabel), .size = font, .bold = true};
  TextBlock score{.size = font};
  if (with_score && object.score) score.text = fixed(*object.score, 2);

  double room = max_width - 2 * pad;
  std::vector<TextBlock> blocks;
  if (!score.text.empty()) {
    const double taken = measure(score).width + (label.text.empty() ? 0 : gap);
    if (room - taken >= (label.text.empty() ? 0 : 3 * font)) {
      room -= taken;
      blocks.push_back(std::move(score));
    }
  }
  if (!label.text.empty()) {
    label.max_width = room;
    blocks.insert(blocks.begin(), std::move(label));
  }

  Plate plate{.colour = label_colour(object.label, object.label_index)};
  double x = pad, above = 0, below = 0;
  std::vector<double> baselines;
  for (TextBlock& block : blocks) {
    const TextSize size = measure(block);
    above = std::max(above, size.baseline);
    below = std::max(below, size.height - size.baseline);
    baselines.push_back(size.baseline);
    plate.texts.push_back({.block = std::move(block), .x = x});
    x += std::ceil(size.width) + gap;
  }
  const double edge = std::floor(0.08 * font);
  for (std::size_t i = 0; i < baselines.size(); ++i) plate.texts[i].y = edge + above - baselines[i];
  plate.rect = {0, 0, std::ceil(std::min(x - gap + pad, max_width)), std::ceil(above + below + 2 * edge)};
  return plate;
}

void move_to(Plate& plate, const Rect& place) {
  for (PlacedText& text : plate.texts) text.x += place.x1, text.y += place.y1;
  plate.rect = place;
}

// Above the box; else inside it; else at its other corners; the first place that no other plate holds.
Rect find_place(const Shape& shape, double width, double height, const Rect& picture,
                const std::vector<Plate>& others) {
  const Rect &outer = shape.outer, &inner = shape.inner;
  const bool roomy = inner.width() >= width && inner.height() >= 2 * height;
  struct Corner {
    double x, y;
    bool allowed;
  };
  const std::array<Corner, 8> corners{{{outer.x1, outer.y1 - height, true},
                                       {inner.x1, inner.y1, roomy},
                                       {outer.x2 - width, outer.y1 - height, true},
                                       {outer.x1, outer.y2, true},
                                       {inner.x2 - width, inner.y1, roomy},
                                       {outer.x2 - width, outer.y2, true},
                                       {inner.x1, inner.y2 - height, roomy},
                                       {inner.x2 - width, inner.y2 - height, roomy}}};
  const auto at = [&](double x, double y) {
    x = std::clamp(x, 0.0, picture.x2 - width);
    return Rect{x, y, x + width, y + height};
  };
  Rect best = at(outer.x1, std::clamp(outer.y1 - height, 0.0, picture.y2 - height));
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [x, y, allowed] : corners) {
    if (!allowed || y < 0 || y + height > picture.y2) continue;
    const Rect place = at(x, y);
    double covered = 0;
    for (const Plate& other : others) covered += area(intersect(place, other.rect));
    if (covered < least) least = covered, best = place;
    if (covered == 0) break;
  }
  return best;
}

Plate make_bar(const Result& result, const Rect& picture, double font, const MeasureText& measure) {
  const double pad = std::round(0.7 * font);
  const double width = picture.width() - 2 * pad;
  const std::array<TextBlock, 2> blocks{
      {{.text = beginning(printable(result.prompt), kMaxLabel), .size = 0.9 * font, .max_width = width},
       {.text = beginning(printable_lines(*result.answer), kMaxAnswer),
        .size = 1.2 * font,
        .max_width = width,
        .max_height = std::max(picture.height(), 6 * font)}}};
  Plate bar{.colour = {0x18, 0x1a, 0x1f}};
  double y = picture.y2 + pad;
  for (const TextBlock& block : blocks) {
    if (block.text.empty()) continue;
    bar.texts.push_back({.block = block, .x = pad, .y = y});
    y += std::ceil(measure(block).height + 0.2 * font);
  }
  if (bar.texts.size() == 2) bar.texts[0].opacity = 0.6;  // the prompt stands back
  bar.rect = {0, picture.y2, picture.x2, y + std::round(0.5 * font)};
  return bar;
}

bool drawable(const Object& object) {
  return std::ranges::all_of(object.box, [](double side) { return std::isfinite(side); });
}

}  // namespace

Scene lay_out(int picture_width, int picture_height, const Result& result, const DrawOptions& options,
              const MeasureText& measure) {
  const Style style = style_of(picture_width, picture_height);
  const Rect picture{0, 0, static_cast<double>(picture_width), static_cast<double>(picture_height)};
  Scene scene{.width = picture_width, .height = picture_height, .line = style.line, .halo = style.halo};
  scene.mask_opacity = std::clamp(options.mask_opacity, 0.0, 1.0);

  for (const Object& object : result.objects) {
    if (!drawable(object)) continue;
    scene.shapes.push_back(make_shape(object, picture, style.line));
    if (!style.letters) continue;
    const Shape& shape = scene.shapes.back();
    const double widest =
        std::min(picture.width(), std::max({shape.outer.width(), 12 * style.font, 0.4 * picture.width()}));
    Plate plate = make_plate(object, widest, style.font, options.scores, measure);
    if (plate.texts.empty()) continue;
    move_to(plate, find_place(shape, plate.rect.width(), plate.rect.height(), picture, scene.plates));
    scene.plates.push_back(std::move(plate));
  }
  std::ranges::sort(scene.shapes, std::greater{}, [](const Shape& shape) { return area(shape.outer); });

  if (result.objects.empty() && result.answer && !result.answer->empty() && picture_width >= 6 * style.font) {
    scene.bar = make_bar(result, picture, style.font, measure);
    scene.height = static_cast<int>(scene.bar->rect.y2);
  }
  return scene;
}

}  // namespace paligemma
