// Norms, softmax and what is done element by element, over a vector type V. One call is one row.
//
// Element i of a row sits in lane i mod width, and sums run along the lanes: a result depends on the row alone.
// Internal linkage: see math.h.
#pragma once

#include "backend/cpu/generic/math.h"
#include "backend/cpu/kernels.h"

namespace paligemma {
namespace {

template <class V>
struct Rows {
  using T = typename V::Scalar;
  static V load(const T* p, std::int64_t left, T rest = 0) {
    return left < V::width ? V::load(p, left, rest) : V::load(p);
  }
  static void store(V v, T* p, std::int64_t left) { left < V::width ? v.store(p, left) : v.store(p); }

  // y[i] = f(vector at i, i, n - i).
  template <class F>
  static void map(std::int64_t n, const T* x, T* y, F f) {
    for (std::int64_t i = 0; i < n; i += V::width) store(f(load(x + i, n - i), i, n - i), y + i, n - i);
  }

  // Sum of f as in map, in four independent chains a lane. Lanes past the end do not count, whatever f gives.
  template <class F>
  static T total(std::int64_t n, const T* x, F f) {
    V sums[4] = {V::broadcast(0), V::broadcast(0), V::broadcast(0), V::broadcast(0)};
    std::int64_t i = 0;
    for (; i + 4 * V::width <= n; i += 4 * V::width) {
      for (int j = 0; j < 4; ++j) {
        const std::int64_t at = i + j * V::width;
        sums[j] = sums[j] + f(V::load(x + at), at, n - at);
      }
    }
    for (; i + V::width <= n; i += V::width) sums[0] = sums[0] + f(V::load(x + i), i, n - i);
    if (i < n) {
      T rest[V::width] = {};
      f(V::load(x + i, n - i, 0), i, n - i).store(rest, n - i);
      sums[1] = sums[1] + V::load(rest);
    }
    return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }

  static void round_bf16(std::int64_t n, const T* x, T* y) noexcept {
    map(n, x, y, [](V v, std::int64_t, std::int64_t) { return v.to_bf16(); });
  }
  static void narrow_bf16(std::int64_t n, const T* x, std::uint16_t* y) noexcept {
    std::int64_t i = 0;
    for (; i + V::width <= n; i += V::width) V::load(x + i).store_bf16(y + i);
    if (i < n) V::load(x + i, n - i, 0).store_bf16(y + i, n - i);
  }
  static void pair_bf16(std::int64_t n, const T* even, const T* odd, std::uint16_t* pairs,
                        std::ptrdiff_t step) noexcept {
    for (std::int64_t i = 0; i < n; i += kPanel, pairs += 2 * step) {
      for (std::int64_t j = 0; j < kPanel; j += V::width) {
        const std::int64_t left = n - i - j;
        if (left > 0)
          V::store_pairs(pairs + 2 * j, load(even + i + j, left), load(odd + i + j, left));
        else
          V::store_pairs(pairs + 2 * j, V::broadcast(0), V::broadcast(0));
      }
    }
  }
  static void add(std::int64_t n, const T* a, T* x) noexcept {
    map(n, x, x, [=](V v, std::int64_t i, std::int64_t left) { return v + load(a + i, left); });
  }
  static void scale(std::int64_t n, T factor, const T* x, T* y) noexcept {
    map(n, x, y, [=](V v, std::int64_t, std::int64_t) { return v * V::broadcast(factor); });
  }
  static void affine(std::int64_t n, const T* scale, const T* offset, T* x) noexcept {
    map(n, x, x,
        [=](V v, std::int64_t i, std::int64_t left) { return fma(v, load(scale + i, left), load(offset + i, left)); });
  }
  static void gelu(std::int64_t n, const T* x, T* y) noexcept {
    map(n, x, y, [](V v, std::int64_t, std::int64_t) { return gelu_tanh(v); });
  }
  static void gated_gelu(std::int64_t n, const T* gate, const T* up, T* y) noexcept {
    map(n, gate, y, [=](V v, std::int64_t i, std::int64_t left) { return gelu_tanh(v) * load(up + i, left); });
  }
  static V cap(V x, T limit, T inverse) { return V::broadcast(limit) * tanh(x * V::broadcast(inverse)); }
  static void soft_cap(std::int64_t n, T limit, T* x) noexcept {
    map(n, x, x, [=](V v, std::int64_t, std::int64_t) { return cap(v, limit, 1 / limit); });
  }

  // Without a cap the factor, which is not negative, is left to the exponent.
  static T softmax(std::int64_t n, T factor, T limit, T* x) noexcept {
    constexpr T least = -3e38f;
    if (limit != 0) {
      map(n, x, x, [=](V v, std::int64_t, std::int64_t) { return cap(v * V::broadcast(factor), limit, 1 / limit); });
      factor = 1;
    }
    V most = V::broadcast(least);
    for (std::int64_t i = 0; i < n; i += V::width) most = max(most, load(x + i, n - i, least));
    const V slope = V::broadcast(factor), shift = V::broadcast(-factor * largest(most));
    return total(n, x, [=](V v, std::int64_t i, std::int64_t left) {
      const V p = exp(fma(v, slope, shift));
      store(p, x + i, left);
      return p;
    });
  }

  static void layer_norm(std::int64_t n, const T* x, const T* weight, const T* bias, T eps, T* y) noexcept {
    const T mean = total(n, x, [](V v, std::int64_t, std::int64_t) { return v; }) / T(n);
    const V centre = V::broadcast(mean);
    const T variance = total(n, x, [=](V v, std::int64_t, std::int64_t) { return (v - centre) * (v - centre); }) / T(n);
    const V gain = V::broadcast(1 / V::square_root(variance + eps));
    map(n, x, y, [=](V v, std::int64_t i, std::int64_t left) {
      return fma((v - centre) * gain, load(weight + i, left), load(bias + i, left));
    });
  }
  static void rms_norm(std::int64_t n, const T* x, const T* weight, T eps, T* y) noexcept {
    const V gain = V::broadcast(
        1 / V::square_root(total(n, x, [](V v, std::int64_t, std::int64_t) { return v * v; }) / T(n) + eps));
    map(n, x, y,
        [=](V v, std::int64_t i, std::int64_t left) { return v * gain * (V::broadcast(1) + load(weight + i, left)); });
  }
  static void rotate(std::int64_t half, const T* cosine, const T* sine, T* x) noexcept {
    for (std::int64_t i = 0; i < half; i += V::width) {
      const std::int64_t left = half - i;
      const V a = load(x + i, left), b = load(x + half + i, left), c = load(cosine + i, left), s = load(sine + i, left);
      store(fma(a, c, V::broadcast(0) - b * s), x + i, left);
      store(fma(b, c, a * s), x + half + i, left);
    }
  }
};

// All of the above into the table.
template <class V>
void use_rows(Kernels& kernels) {
  using R = Rows<V>;
  kernels.round_bf16 = R::round_bf16;
  kernels.narrow_bf16 = R::narrow_bf16;
  kernels.pair_bf16 = R::pair_bf16;
  kernels.add = R::add;
  kernels.scale = R::scale;
  kernels.affine = R::affine;
  kernels.gelu = R::gelu;
  kernels.gated_gelu = R::gated_gelu;
  kernels.soft_cap = R::soft_cap;
  kernels.softmax = R::softmax;
  kernels.layer_norm = R::layer_norm;
  kernels.rms_norm = R::rms_norm;
  kernels.rotate = R::rotate;
}

}  // namespace
}  // namespace paligemma
