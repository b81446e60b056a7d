// exp, tanh and GELU over a vector type V, by range reduction and the Taylor series of expm1.
//
// V is a small wrapper that each instruction set defines (portable/lanes.h lists what it must offer). Everything in
// generic/ has internal linkage on purpose: each instruction set compiles its own copy with its own flags, and no copy
// may stand in for another at link time.
//
// Errors, measured over all of the range by tests/backend/math_test.cc: exp 1.5 ulp, tanh 3 ulp (near 0 too).
#pragma once

namespace paligemma {
namespace {

// expm1(r) for |r| <= ln(2) / 2. The first term left out is r^8 / 8!, 1.5e-8 of the result.
template <class V>
V expm1_reduced(V r) {
  constexpr float terms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 1.0f / 2};
  V p = V::broadcast(1.0f / 5040);
  for (float term : terms) p = fma(p, r, V::broadcast(term));
  return fma(p * r, r, r);
}

// x = n ln(2) + r, ln(2) in two pieces of which the first has 9 trailing zero bits, so that n times it is exact.
template <class V>
V reduce(V x, V& n) {
  n = round(x * V::broadcast(1.44269504f));
  const V r = fma(n, V::broadcast(-0.693145752f), x);
  return fma(n, V::broadcast(-1.42860677e-6f), r);
}

// Below -87.33 (where exp leaves the normal numbers) as at -87.33: 1.2e-38. Above 88.3 as at 88.3.
template <class V>
V exp(V x) {
  V n;
  const V r = reduce(min(V::broadcast(88.3f), max(V::broadcast(-87.33f), x)), n);
  return times_power_of_2(expm1_reduced(r) + V::broadcast(1), n);
}

// tanh(a) = e / (e + 2) for e = expm1(2 a), which keeps small arguments relatively exact. From 10 on it rounds to 1.
template <class V>
V tanh(V x) {
  V n;
  const V a = min(V::broadcast(10), abs(x));
  const V q = expm1_reduced(reduce(a + a, n));
  const V power = times_power_of_2(V::broadcast(1), n);
  const V e = fma(power, q, power - V::broadcast(1));
  return copy_sign(e / (e + V::broadcast(2)), x);
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3))), which does not
// cancel for negative x.
template <class V>
V gelu_tanh(V x) {
  const V inner = fma(x * x, V::broadcast(-0.0713548163f), V::broadcast(-1.59576912f));
  return x / (V::broadcast(1) + exp(x * inner));
}

}  // namespace
}  // namespace paligemma
