// In the place of what is painted with cairo.
#include "scenes/backdrop.h"

namespace paligemma::world {

Picture paint_backdrop(const Backdrop&, int) {
  require_drawing();  // which it is not
  return {};
}

}  // namespace paligemma::world
