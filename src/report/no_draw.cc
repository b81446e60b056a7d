// Stands in for draw.cc in a library without drawing.
#include "base/error.h"

namespace paligemma {

std::vector<std::byte> draw(const Picture&, const Result&, std::string_view, const DrawOptions&) {
  fail(ErrorKind::usage, "no_drawing",
       "drawing failed: this library: expected a build with drawing, got one without. Try: -DPALIGEMMA_DRAW=ON");
}

}  // namespace paligemma
