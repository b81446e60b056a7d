// Stands in for draw.cc in a library without drawing.
#include "base/error.h"

namespace paligemma {

namespace {

[[noreturn]] void refuse() {
  fail(ErrorKind::usage, "no_drawing",
       "cannot draw: this library: expected a build with drawing, got one without. Try: -DPALIGEMMA_DRAW=ON");
}

}  // namespace

std::vector<std::byte> draw(const Picture&, const Result&, std::string_view, const DrawOptions&) { refuse(); }
void require_drawing() { refuse(); }

}  // namespace paligemma
