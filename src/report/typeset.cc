#include "report/typeset.h"

#include <pango/pangocairo.h>

#include <cmath>

namespace paligemma {
namespace {

struct Unref {
  void operator()(PangoLayout* layout) const { g_object_unref(layout); }
};
using Layout = std::unique_ptr<PangoLayout, Unref>;

int units(double pixels) { return static_cast<int>(std::lround(pixels * PANGO_SCALE)); }

Layout make_layout(PangoContext* context, const TextBlock& block) {
  Layout layout(pango_layout_new(context));
  PangoFontDescription* font = pango_font_description_new();
  pango_font_description_set_family_static(font, "sans-serif");
  pango_font_description_set_weight(font, block.bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
  pango_font_description_set_absolute_size(font, units(block.size));
  pango_layout_set_font_description(layout.get(), font);
  pango_font_description_free(font);

  pango_layout_set_text(layout.get(), block.text.data(), static_cast<int>(block.text.size()));
  if (block.max_width > 0) {
    pango_layout_set_width(layout.get(), units(block.max_width));
    pango_layout_set_ellipsize(layout.get(), PANGO_ELLIPSIZE_END);
  }
  if (block.max_height > 0) {
    pango_layout_set_height(layout.get(), units(block.max_height));
    pango_layout_set_wrap(layout.get(), PANGO_WRAP_WORD_CHAR);
  } else {
    pango_layout_set_single_paragraph_mode(layout.get(), true);
  }
  return layout;
}

}  // namespace

void Typesetter::Release::operator()(PangoContext* context) const { g_object_unref(context); }

Typesetter::Typesetter() : context_(pango_font_map_create_context(pango_cairo_font_map_get_default())) {
  // Gray, as the picture is no screen with stripes; hinted upwards only, so that widths stay in proportion.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  pango_cairo_context_set_font_options(context_.get(), options);
  cairo_font_options_destroy(options);
  pango_context_set_language(context_.get(), pango_language_from_string("en"));
}

TextSize Typesetter::measure(const TextBlock& block) const {
  const Layout layout = make_layout(context_.get(), block);
  PangoRectangle logical;
  pango_layout_get_extents(layout.get(), nullptr, &logical);
  return {.width = static_cast<double>(logical.width) / PANGO_SCALE,
          .height = static_cast<double>(logical.height) / PANGO_SCALE,
          .baseline = static_cast<double>(pango_layout_get_baseline(layout.get())) / PANGO_SCALE};
}

void Typesetter::show(cairo_t* cairo, const PlacedText& text) const {
  const Layout layout = make_layout(context_.get(), text.block);
  PangoRectangle logical;
  pango_layout_get_extents(layout.get(), nullptr, &logical);
  // A single line begins at x also when it runs from right to left; paragraphs keep their own side.
  const double shift = text.block.max_height > 0 ? 0 : static_cast<double>(logical.x) / PANGO_SCALE;
  // The first baseline lies on whole pixels: small letters are sharper.
  const double baseline = static_cast<double>(pango_layout_get_baseline(layout.get())) / PANGO_SCALE;
  cairo_move_to(cairo, text.x - shift, std::round(text.y + baseline) - baseline);
  pango_cairo_show_layout(cairo, layout.get());
}

}  // namespace paligemma
