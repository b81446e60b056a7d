// Which table of kernels runs.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "backend/cpu/kernels.h"

namespace paligemma {

// An instruction set. Its table is what the `use` functions of the list that run here fill in, up to and including its
// own.
struct Isa {
  std::string_view name;
  bool runs_here = false;
  void (*use)(Kernels&) noexcept = nullptr;
  bool pays = true;  // faster here than those before it; otherwise it is used where it is asked for
};

// In ascending order. isas_x86.cc or isas_other.cc.
std::vector<Isa> isas();

// Empty: the best that runs here. Throws Error{usage, "isa"}.
Kernels choose_kernels(std::string_view isa);

}  // namespace paligemma
