// Gradients of what rows.h does, over a vector type V. One call is one row. `dy` is the gradient of the output; what is
// written is added to, but where a comment says otherwise and by those of GELU.
// Internal linkage: see math.h.
#pragma once

#include "backend/cpu/generic/rows.h"

namespace paligemma {
namespace {

// GELU at x as x share, and its slope. With z = 2 sqrt(2/pi) (x + 0.044715 x^3) the share is 1 / (1 + exp(-z)).
template <class V>
struct GeluSlope {
  V share, slope;

  explicit GeluSlope(V x) {
    const V one = V::broadcast(1), square = x * x;
    const V inner = fma(square, V::broadcast(-0.0713548163f), V::broadcast(-1.59576912f));
    share = one / (one + exp(x * inner));
    const V steepness = fma(square, V::broadcast(3 * 0.0713548163f), V::broadcast(1.59576912f));
    slope = fma(x * share * (one - share), steepness, share);
  }
};

template <class V>
struct Gradients {
  using R = Rows<V>;
  using T = typename V::Scalar;
  static V load(const T* p, std::int64_t left, T rest = 0) { return R::load(p, left, rest); }

  static void add_scaled(std::int64_t n, T factor, const T* a, T* x) noexcept {
    R::map(n, x, x,
           [=](V v, std::int64_t i, std::int64_t left) { return fma(V::broadcast(factor), load(a + i, left), v); });
  }
  static void multiply_add(std::int64_t n, const T* a, const T* b, T* x) noexcept {
    R::map(n, x, x,
           [=](V v, std::int64_t i, std::int64_t left) { return fma(load(a + i, left), load(b + i, left), v); });
  }
  static void gelu(std::int64_t n, const T* x, const T* dy, T* dx) noexcept {
    R::map(n, x, dx,
           [=](V v, std::int64_t i, std::int64_t left) { return load(dy + i, left) * GeluSlope<V>(v).slope; });
  }
  static void gated_gelu(std::int64_t n, const T* gate, const T* up, const T* dy, T* dgate, T* dup) noexcept {
    for (std::int64_t i = 0; i < n; i += V::width) {
      const std::int64_t left = n - i;
      const V x = load(gate + i, left), d = load(dy + i, left);
      const GeluSlope<V> at(x);
      R::store(d * load(up + i, left) * at.slope, dgate + i, left);
      R::store(d * (x * at.share), dup + i, left);
    }
  }
  // dx *= 1 - (y / cap)^2.
  static void soft_cap(std::int64_t n, T cap, const T* y, T* dx) noexcept {
    const V inverse = V::broadcast(1 / cap), one = V::broadcast(1);
    R::map(n, dx, dx, [=](V v, std::int64_t i, std::int64_t left) {
      const V t = load(y + i, left) * inverse;
      return v * ((one - t) * (one + t));
    });
  }
  // dx = p (dx - sum(p dx)): of y = softmax, with p its values and dx that of p before.
  static void softmax(std::int64_t n, const T* p, T* dx) noexcept {
    const V mean =
        V::broadcast(R::total(n, dx, [=](V v, std::int64_t i, std::int64_t left) { return v * load(p + i, left); }));
    R::map(n, dx, dx, [=](V v, std::int64_t i, std::int64_t left) { return (v - mean) * load(p + i, left); });
  }

  // Both norms: y = (x - mean) gain (weight + plus). dx += gain (d - mean(d) - x_hat mean(d x_hat)) with d = dy (weight
  // + plus), where the rms norm has no mean(d). Leaves the mean and the gain in `statistics`.
  static void layer_norm(std::int64_t n, const T* x, const T* weight, T eps, const T* dy, T* dx,
                         T* statistics) noexcept {
    const T mean = R::total(n, x, [](V v, std::int64_t, std::int64_t) { return v; }) / T(n);
    const V centre = V::broadcast(mean);
    const T variance =
        R::total(n, x, [=](V v, std::int64_t, std::int64_t) { return (v - centre) * (v - centre); }) / T(n);
    const T gain = 1 / V::square_root(variance + eps);
    const T sum = R::total(n, dy, [=](V v, std::int64_t i, std::int64_t left) { return v * load(weight + i, left); });
    norm(n, x, weight, 0, {mean, gain, sum / T(n)}, dy, dx);
    statistics[0] = mean, statistics[1] = gain;
  }
  static void rms_norm(std::int64_t n, const T* x, const T* weight, T eps, const T* dy, T* dx, T* statistics) noexcept {
    const T square = R::total(n, x, [](V v, std::int64_t, std::int64_t) { return v * v; }) / T(n);
    const T gain = 1 / V::square_root(square + eps);
    norm(n, x, weight, 1, {0, gain, 0}, dy, dx);
    statistics[0] = 0, statistics[1] = gain;
  }
  // dweight += dy (x - mean) gain, of one row.
  static void norm_weight(std::int64_t n, const T* x, const T* statistics, const T* dy, T* dweight) noexcept {
    const V mean = V::broadcast(statistics[0]), gain = V::broadcast(statistics[1]);
    R::map(n, dweight, dweight, [=](V v, std::int64_t i, std::int64_t left) {
      return fma(load(dy + i, left), (load(x + i, left) - mean) * gain, v);
    });
  }

  // In place: dx turned back by the angle that rows were turned by.
  static void rotate_back(std::int64_t half, const T* cosine, const T* sine, T* dx) noexcept {
    for (std::int64_t i = 0; i < half; i += V::width) {
      const std::int64_t left = half - i;
      const V a = load(dx + i, left), b = load(dx + half + i, left), c = load(cosine + i, left),
              s = load(sine + i, left);
      R::store(fma(a, c, b * s), dx + i, left);
      R::store(fma(b, c, V::broadcast(0) - a * s), dx + half + i, left);
    }
  }

  // The cross entropy of softmax(x) with 1 - smoothing on `target` and smoothing / (n - 1) on every other; x becomes
  // its gradient times `weight`.
  static T cross_entropy(std::int64_t n, std::int64_t target, T smoothing, T weight, T* x) noexcept {
    const T others = n > 1 ? smoothing / T(n - 1) : 0, on_target = 1 - smoothing - others;
    const T at_target = x[target];
    constexpr T least = -3e38f;
    V most = V::broadcast(least);
    for (std::int64_t i = 0; i < n; i += V::width) most = max(most, load(x + i, n - i, least));
    const T largest_x = largest(most);
    const V shift = V::broadcast(largest_x);
    T loss = on_target * (largest_x - at_target);
    if (others != 0) loss += others * R::total(n, x, [=](V v, std::int64_t, std::int64_t) { return shift - v; });
    const T sum = R::total(n, x, [=](V v, std::int64_t i, std::int64_t left) {
      const V p = exp(v - shift);
      R::store(p, x + i, left);
      return p;
    });
    const V share = V::broadcast(weight / sum), less = V::broadcast(weight * others);
    R::map(n, x, x, [=](V v, std::int64_t, std::int64_t) { return v * share - less; });
    x[target] = x[target] - weight * on_target;
    return loss + T(__builtin_log(double(sum)));
  }

 private:
  struct Statistics {
    T mean, gain, mean_d;
  };
  static void norm(std::int64_t n, const T* x, const T* weight, T plus, Statistics at, const T* dy, T* dx) noexcept {
    const V mean = V::broadcast(at.mean), gain = V::broadcast(at.gain), more = V::broadcast(plus);
    const auto d = [=](V v, std::int64_t i, std::int64_t left) { return v * (load(weight + i, left) + more); };
    const auto x_hat = [=](std::int64_t i, std::int64_t left) { return (load(x + i, left) - mean) * gain; };
    const V slope = V::broadcast(
        R::total(n, dy, [=](V v, std::int64_t i, std::int64_t left) { return d(v, i, left) * x_hat(i, left); }) / T(n));
    const V mean_d = V::broadcast(at.mean_d);
    R::map(n, dx, dx, [=](V v, std::int64_t i, std::int64_t left) {
      return fma(gain, d(load(dy + i, left), i, left) - mean_d - x_hat(i, left) * slope, v);
    });
  }
};

// All of the above into the table.
template <class V>
void use_gradients(Kernels& kernels) {
  using G = Gradients<V>;
  kernels.add_scaled = G::add_scaled;
  kernels.multiply_add = G::multiply_add;
  kernels.gelu_gradient = G::gelu;
  kernels.gated_gelu_gradient = G::gated_gelu;
  kernels.soft_cap_gradient = G::soft_cap;
  kernels.softmax_gradient = G::softmax;
  kernels.layer_norm_gradient = G::layer_norm;
  kernels.rms_norm_gradient = G::rms_norm;
  kernels.norm_weight_gradient = G::norm_weight;
  kernels.rotate_back = G::rotate_back;
  kernels.cross_entropy = G::cross_entropy;
}

}  // namespace
}  // namespace paligemma
