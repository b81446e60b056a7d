// How fast this thread can multiply and add at most.
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace paligemma {

// Runs `steps` rounds of independent multiply-adds in registers with the instructions that products of this precision
// use here. Returns the number of operations, a multiply-add counting as two.
double multiply_add_loop(Precision precision, std::int64_t steps);

}  // namespace paligemma
