// How fast this thread can multiply and add at most.
#pragma once

#include <cstdint>

namespace paligemma {

// What products can be computed in, the most exact first: in the order of Precision.
enum class Arithmetic : std::uint8_t { f32, bf16, int8 };
constexpr int kArithmetics = 3;

// Runs `steps` rounds of independent multiply-adds in registers with the instructions of the best kernels that
// this processor runs. Returns the number of operations, a multiply-add counting as two.
double multiply_add_loop(Arithmetic arithmetic, std::int64_t steps);

}  // namespace paligemma
