#include "backend/cpu/dispatch.h"

#include "base/error.h"

namespace paligemma {

Kernels choose_kernels(std::string_view isa) {
  Kernels kernels, best;
  std::string known;
  for (const Isa& candidate : isas()) {
    candidate.use(kernels);
    if (candidate.runs_here) best = kernels;
    if (candidate.name == isa) {
      if (candidate.runs_here) return kernels;
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
