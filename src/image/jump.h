// Errors of libpng and libjpeg: their callbacks must not return, so they leave by longjmp to the step that was running.
#pragma once

#include <csetjmp>

namespace paligemma {

struct Jump {
  std::jmp_buf place;
  char message[256] = "";  // filled by the callback that jumps
};

// Runs one step; false when it was left by a jump. A step must not hold objects with destructors: the jump skips them.
template <class Step>
bool complete(Jump& jump, Step step) {
  if (setjmp(jump.place) != 0) return false;
  step();
  return true;
}

}  // namespace paligemma
