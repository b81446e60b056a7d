// Kernels that no processor at hand may run, compiled against an emulation of their instructions, or for instructions
// that do the same.
#pragma once

#include <vector>

#include "backend/cpu/kernels.h"

namespace paligemma {

std::vector<Kernels> emulated_tables();

}  // namespace paligemma
