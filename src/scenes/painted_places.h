// The places of the world in their backdrops. Each paints all of the picture; the ground begins at the horizon.
#pragma once

#include "scenes/brush.h"

namespace paligemma::world {

void paint_beach(Brush& brush, double horizon);
void paint_field(Brush& brush, double horizon);
void paint_road(Brush& brush, double horizon);
void paint_room(Brush& brush, double horizon);
void paint_snow(Brush& brush, double horizon);
void paint_city(Brush& brush, double horizon);
void paint_forest(Brush& brush, double horizon);
void paint_desert(Brush& brush, double horizon);

}  // namespace paligemma::world
