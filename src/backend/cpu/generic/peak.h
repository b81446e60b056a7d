// Multiply-adds in registers alone: the most that an instruction set can do on this processor. For benchmarks.
// Internal linkage: see math.h.
#pragma once

#include <cstdint>

namespace paligemma {
namespace {

// Sums that do not depend on each other: enough to hide the latency of two units, few enough for 16 registers.
constexpr int kChains = 10;

// Where multiplying is an instruction of its own the compiler would do it once for all sums and rounds: it is told that
// `a` may be another one by now.
template <bool kFused, class V>
[[gnu::always_inline]] inline void renew(V& a) {
  if constexpr (!kFused) __asm__ volatile("" : "+m"(a));
}

// `Op` as in product.h; `kFused`: it multiplies and adds in one instruction. Returns the operations done, a
// multiply-add counting as two; `sink` takes a value that depends on all of them.
template <class Op, bool kFused = true>
double multiply_adds(std::int64_t steps, float* sink) noexcept {
  using V = typename Op::V;
  V sums[kChains];
  for (V& sum : sums) sum = V::broadcast(1.0f);
  V a = V::broadcast(*sink);
  const V b = V::broadcast(0.5f);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 10
    for (V& sum : sums) {
      renew<kFused>(a);
      sum = Op::multiply_add(a, b, sum);
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] = sums[0] + sums[i];
  *sink = sum(sums[0]);
  return 2.0 * kChains * V::width * Op::depth / Op::passes * double(steps);
}

// The same with the bytes of a vector `I` of 32-bit integers, as Dot::byte_dot in portable/lanes.h adds them up.
template <class I, bool kFused, class Dot = I>
double byte_multiply_adds(std::int64_t steps, float* sink) noexcept {
  I sums[kChains];
  for (I& sum : sums) sum = I::broadcast(1);
  I a = I::broadcast(std::int32_t(*sink));  // 0: sums stay in range
  const I b = I::broadcast(0x01010101);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 10
    for (I& sum : sums) {
      renew<kFused>(a);
      sum = Dot::byte_dot(sum, a, b);
    }
  }
  auto total = sums[0].to_float();
  for (int i = 1; i < kChains; ++i) total = total + sums[i].to_float();
  *sink = sum(total);
  return 2.0 * kChains * sizeof(I) * double(steps);
}

}  // namespace
}  // namespace paligemma
