// All of cairo that the world has is behind this.
#include <array>
#include <iterator>
#include <memory>

#include "base/error.h"
#include "scenes/backdrop.h"
#include "scenes/painted_places.h"
#include "scenes/world.h"

namespace paligemma::world {
namespace {

struct ReleaseCairo {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
};
using BackdropSurface = std::unique_ptr<cairo_surface_t, ReleaseCairo>;
using BackdropCairo = std::unique_ptr<cairo_t, ReleaseCairo>;

// In the order of places().
constexpr std::array kPainters = {paint_beach, paint_field, paint_road,   paint_room,
                                  paint_snow,  paint_city,  paint_forest, paint_desert};

void check_painted(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  const bool memory = status == CAIRO_STATUS_NO_MEMORY;
  fail(memory ? ErrorKind::resource : ErrorKind::failure, memory ? "out_of_memory" : "drawing",
       "drawing a scene failed: cairo: ", cairo_status_to_string(status));
}

// From 0x00RRGGBB.
Picture pixels_of(cairo_surface_t* surface, int side) {
  cairo_surface_flush(surface);
  Picture picture{.width = side, .height = side, .rgb = {}};
  picture.rgb.reserve(3 * static_cast<std::size_t>(side) * side);
  const auto* row = reinterpret_cast<const std::uint32_t*>(cairo_image_surface_get_data(surface));
  for (int y = 0; y < side; ++y, row += cairo_image_surface_get_stride(surface) / 4)
    for (int x = 0; x < side; ++x)
      for (const int shift : {16, 8, 0}) picture.rgb.push_back(static_cast<std::uint8_t>(row[x] >> shift));
  return picture;
}

}  // namespace

Picture paint_backdrop(const Backdrop& backdrop, int side) {
  const BackdropSurface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, side, side));
  check_painted(cairo_surface_status(surface.get()));
  const BackdropCairo cairo(cairo_create(surface.get()));
  cairo_scale(cairo.get(), side, side);
  Dice dice(backdrop.key);
  Brush brush(cairo.get(), dice);
  kPainters[static_cast<std::size_t>(backdrop.place)](brush, horizon_of(backdrop));
  check_painted(cairo_status(cairo.get()));
  return pixels_of(surface.get(), side);
}

}  // namespace paligemma::world
