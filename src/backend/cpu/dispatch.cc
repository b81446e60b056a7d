#include "backend/cpu/dispatch.h"

#include "base/error.h"

namespace paligemma {

Kernels choose_kernels(std::string_view isa) {
  Kernels best;
  std::string known;
  for (const Isa& candidate : isas()) {
    // The function itself is compiled for its instruction set.
    if (candidate.runs_here && (candidate.pays || candidate.name == isa)) candidate.use(best);
    if (candidate.name == isa) {
      if (candidate.runs_here) return best;
      fail(ErrorKind::usage, "isa", "choosing kernels: this processor cannot run ", isa, ". Try: ", best.name);
    }
    known += join(known.empty() ? "" : ", ", candidate.name);
  }
  if (!isa.empty()) {
    fail(ErrorKind::usage, "isa", "choosing kernels: expected one of ", known, ", got \"", isa, "\"");
  }
  return best;
}

}  // namespace paligemma
