// The instruction sets that tests run under: all that this machine can run.
#pragma once

#include <string>
#include <vector>

#include "backend/cpu/dispatch.h"

namespace paligemma::test {

inline std::vector<std::string> runnable_isas() {
  std::vector<std::string> runnable;
  for (const Isa& isa : isas())
    if (isa.runs_here) runnable.emplace_back(isa.name);
  return runnable;
}

}  // namespace paligemma::test
