#include "backend/cpu/peak.h"

#include "backend/cpu/dispatch.h"

namespace paligemma {

double multiply_add_loop(Precision precision, std::int64_t steps) {
  float sink = 0.25f;
  return choose_kernels({}).multiply_adds[static_cast<int>(precision)](steps, &sink);
}

}  // namespace paligemma
