// How fast this thread can multiply and add at most.
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace paligemma {

constexpr int kPrecisions = 3;

// Runs `steps` rounds of independent multiply-adds in registers with the instructions for `precision` of the best
// kernels that this processor runs. Returns the number of operations, a multiply-add counting as two.
double multiply_add_loop(Precision precision, std::int64_t steps);

}  // namespace paligemma
