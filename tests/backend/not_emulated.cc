#include "emulated.h"

namespace paligemma {

std::vector<Kernels> emulated_tables() { return {}; }

}  // namespace paligemma
