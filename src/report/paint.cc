#include "report/paint.h"

#include <cairo-svg.h>
#include <cairo.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>

#include "base/error.h"
#include "image/encode.h"

namespace paligemma {
namespace {

constexpr int kTile = 2048;      // pixels a side: a surface of 16 MB, whatever the size of the picture
constexpr int kMaxSide = 32767;  // of cairo's surfaces
constexpr double kHaloOpacity = 0.4;
constexpr int kEmbeddedQuality = 92;
constexpr std::size_t kMaxPngBytes = std::size_t{12} << 20;  // of pixels; above, trying PNG too takes seconds

struct Release {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
};
using Surface = std::unique_ptr<cairo_surface_t, Release>;
using Cairo = std::unique_ptr<cairo_t, Release>;

void check(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  fail(status == CAIRO_STATUS_NO_MEMORY ? ErrorKind::resource : ErrorKind::failure,
       status == CAIRO_STATUS_NO_MEMORY ? "out_of_memory" : "drawing",
       "drawing failed: cairo: ", cairo_status_to_string(status));
}

void use_colour(cairo_t* cairo, Rgb colour, double opacity = 1) {
  cairo_set_source_rgba(cairo, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0, opacity);
}

Rect grown(const Rect& rect, double by) { return {rect.x1 - by, rect.y1 - by, rect.x2 + by, rect.y2 + by}; }

// Whether any of `rect` is on the part of the canvas that is being painted.
bool visible(cairo_t* cairo, const Rect& rect) {
  Rect part;
  cairo_clip_extents(cairo, &part.x1, &part.y1, &part.x2, &part.y2);
  return rect.x1 < part.x2 && rect.x2 > part.x1 && rect.y1 < part.y2 && rect.y2 > part.y1;
}

void add_rect(cairo_t* cairo, const Rect& rect) {
  cairo_rectangle(cairo, rect.x1, rect.y1, rect.width(), rect.height());
}

void fill_frame(cairo_t* cairo, const Rect& outer, const Rect& inner) {
  add_rect(cairo, outer);
  if (inner.width() > 0 && inner.height() > 0) add_rect(cairo, inner);
  cairo_fill(cairo);
}

void paint_mask(cairo_t* cairo, const Shape& shape, const Scene& scene) {
  for (const std::vector<double>& ring : shape.mask) {
    for (std::size_t i = 0; i + 1 < ring.size(); i += 2) cairo_line_to(cairo, ring[i], ring[i + 1]);
    cairo_close_path(cairo);
    cairo_new_sub_path(cairo);
  }
  use_colour(cairo, shape.colour, scene.mask_opacity);
  cairo_fill_preserve(cairo);
  use_colour(cairo, ink_on(shape.colour), kHaloOpacity);
  cairo_set_line_width(cairo, scene.line + scene.halo);
  cairo_stroke_preserve(cairo);
  use_colour(cairo, shape.colour);
  cairo_set_line_width(cairo, scene.line);
  cairo_stroke(cairo);
}

void paint_frame(cairo_t* cairo, const Shape& shape, const Scene& scene) {
  use_colour(cairo, ink_on(shape.colour), kHaloOpacity);
  fill_frame(cairo, grown(shape.outer, scene.halo), grown(shape.inner, -scene.halo));
  use_colour(cairo, shape.colour);
  fill_frame(cairo, shape.outer, shape.inner);
}

void paint_plate(cairo_t* cairo, const Plate& plate, const Typesetter& typesetter) {
  use_colour(cairo, plate.colour);
  add_rect(cairo, plate.rect);
  cairo_fill(cairo);
  for (const PlacedText& text : plate.texts) {
    use_colour(cairo, ink_on(plate.colour), text.opacity);
    typesetter.show(cairo, text);
  }
}

void paint_scene(cairo_t* cairo, const Scene& scene, const Typesetter& typesetter) {
  cairo_set_fill_rule(cairo, CAIRO_FILL_RULE_EVEN_ODD);
  cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
  for (const Shape& shape : scene.shapes) paint_mask(cairo, shape, scene);
  for (const Shape& shape : scene.shapes) paint_frame(cairo, shape, scene);
  for (const Plate& plate : scene.plates)
    if (visible(cairo, plate.rect)) paint_plate(cairo, plate, typesetter);
  if (scene.bar && visible(cairo, scene.bar->rect)) paint_plate(cairo, *scene.bar, typesetter);
}

// Paints the tile of `canvas` whose top left is (x0, y0) through a surface of cairo's, 32 bits a pixel: 0x00RRGGBB.
void paint_tile(Picture& canvas, int x0, int y0, const Scene& scene, const Typesetter& typesetter) {
  const int width = std::min(kTile, canvas.width - x0), height = std::min(kTile, canvas.height - y0);
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height));
  check(cairo_surface_status(surface.get()));
  const auto stride = cairo_image_surface_get_stride(surface.get()) / 4;
  auto* const pixels = reinterpret_cast<std::uint32_t*>(cairo_image_surface_get_data(surface.get()));
  const auto row_of = [&](int y) {
    return canvas.rgb.data() + 3 * (static_cast<std::size_t>(y0 + y) * canvas.width + x0);
  };
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* rgb = row_of(y);
    std::uint32_t* to = pixels + static_cast<std::ptrdiff_t>(y) * stride;
    for (int x = 0; x < width; ++x, rgb += 3) to[x] = std::uint32_t{rgb[0]} << 16 | rgb[1] << 8 | rgb[2];
  }
  cairo_surface_mark_dirty(surface.get());
  const Cairo cairo(cairo_create(surface.get()));
  cairo_translate(cairo.get(), -x0, -y0);
  paint_scene(cairo.get(), scene, typesetter);
  check(cairo_status(cairo.get()));
  cairo_surface_flush(surface.get());
  for (int y = 0; y < height; ++y) {
    std::uint8_t* rgb = row_of(y);
    const std::uint32_t* from = pixels + static_cast<std::ptrdiff_t>(y) * stride;
    for (int x = 0; x < width; ++x, rgb += 3) {
      rgb[0] = static_cast<std::uint8_t>(from[x] >> 16);
      rgb[1] = static_cast<std::uint8_t>(from[x] >> 8);
      rgb[2] = static_cast<std::uint8_t>(from[x]);
    }
  }
}

struct EmbeddedPicture {
  std::vector<std::byte> bytes;
  const char* mime;
};

EmbeddedPicture embed(const Picture& picture) {
  EmbeddedPicture jpeg{encode_picture(picture, "jpg", kEmbeddedQuality), CAIRO_MIME_TYPE_JPEG};
  if (picture.rgb.size() > kMaxPngBytes) return jpeg;
  EmbeddedPicture png{encode_picture(picture, "png", kEmbeddedQuality), CAIRO_MIME_TYPE_PNG};
  return png.bytes.size() <= jpeg.bytes.size() ? std::move(png) : std::move(jpeg);
}

cairo_status_t append(void* out, const unsigned char* data, unsigned int length) {
  try {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    auto& all = *static_cast<std::vector<std::byte>*>(out);
    all.insert(all.end(), bytes, bytes + length);
    return CAIRO_STATUS_SUCCESS;
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
}

}  // namespace

Picture paint(const Picture& picture, const Scene& scene, const Typesetter& typesetter) {
  Picture canvas{.width = scene.width, .height = scene.height, .rgb = picture.rgb};
  canvas.rgb.resize(3 * static_cast<std::size_t>(scene.width) * scene.height);
  for (int y = 0; y < canvas.height; y += kTile)
    for (int x = 0; x < canvas.width; x += kTile) paint_tile(canvas, x, y, scene, typesetter);
  return canvas;
}

std::vector<std::byte> paint_svg(const Picture& picture, const Scene& scene, const Typesetter& typesetter) {
  if (std::max(scene.width, scene.height) > kMaxSide)
    fail(ErrorKind::usage, "picture_too_large", "drawing as SVG failed: picture: expected at most ", kMaxSide,
         " pixels a side, got ", scene.width, "x", scene.height, ". Try: another format");
  const EmbeddedPicture embedded = embed(picture);
  // Its own pixels are never looked at.
  const Surface image(cairo_image_surface_create(CAIRO_FORMAT_RGB24, picture.width, picture.height));
  check(cairo_surface_set_mime_data(image.get(), embedded.mime,
                                    reinterpret_cast<const unsigned char*>(embedded.bytes.data()),
                                    embedded.bytes.size(), nullptr, nullptr));
  std::vector<std::byte> svg;
  const Surface surface(cairo_svg_surface_create_for_stream(append, &svg, scene.width, scene.height));
  cairo_svg_surface_set_document_unit(surface.get(), CAIRO_SVG_UNIT_PX);
  {
    const Cairo cairo(cairo_create(surface.get()));
    cairo_set_source_surface(cairo.get(), image.get(), 0, 0);
    cairo_paint(cairo.get());
    paint_scene(cairo.get(), scene, typesetter);
    check(cairo_status(cairo.get()));
  }
  cairo_surface_finish(surface.get());
  check(cairo_surface_status(surface.get()));
  return svg;
}

}  // namespace paligemma
