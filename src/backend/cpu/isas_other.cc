#include "backend/cpu/dispatch.h"

namespace paligemma {

std::vector<Isa> isas() { return {{"portable", true, use_portable}}; }

}  // namespace paligemma
