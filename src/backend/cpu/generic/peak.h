// Multiply-adds in registers alone: the most that an instruction set can do on this processor. For benchmarks.
// Internal linkage: see math.h.
#pragma once

#include <cstdint>

namespace paligemma {
namespace {

// `Op` as in product.h. Returns the operations done, a multiply-add counting as two; `sink` takes a value that depends
// on all of them.
template <class Op>
double multiply_adds(std::int64_t steps, float* sink) noexcept {
  using V = typename Op::V;
  constexpr int kChains = 10;  // enough to hide the latency of two units, few enough for 16 registers
  V sums[kChains];
  for (V& sum : sums) sum = V::broadcast(1.0f);
  const V a = V::broadcast(*sink), b = V::broadcast(0.5f);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 10
    for (V& sum : sums) sum = Op::multiply_add(a, b, sum);
  }
  for (int i = 1; i < kChains; ++i) sums[0] = sums[0] + sums[i];
  *sink = sum(sums[0]);
  return 2.0 * kChains * V::width * Op::depth / Op::passes * double(steps);
}

}  // namespace
}  // namespace paligemma
