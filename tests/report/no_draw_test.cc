#include <paligemma/paligemma.h>

#include "support/errors.h"

namespace paligemma {
namespace {

TEST(NoDraw, SaysSo) {
  expect_error(ErrorKind::usage, "no_drawing", "PALIGEMMA_DRAW=ON",
               [] { draw({.width = 1, .height = 1, .rgb = {0, 0, 0}}, {}, "png"); });
  expect_error(ErrorKind::usage, "no_drawing", "PALIGEMMA_DRAW=ON", [] { require_drawing(); });
}

}  // namespace
}  // namespace paligemma
