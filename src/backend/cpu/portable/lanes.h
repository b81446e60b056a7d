// The vector type of the portable kernels: four numbers, and loops that any compiler can turn into vector code. Also
// the list of what generic/ asks of a vector type. T is float in production, double where a test wants a finer
// reference.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/dtype.h"

namespace paligemma {
namespace {

template <class T>
struct Lanes {
  using Scalar = T;
  static constexpr int width = 4;
  T v[width];

  static Lanes broadcast(T x) { return {x, x, x, x}; }
  static Lanes load(const T* p) { return {p[0], p[1], p[2], p[3]}; }
  void store(T* p) const {
    for (int i = 0; i < width; ++i) p[i] = v[i];
  }
  // The first n < width; what is missing reads as `rest`.
  static Lanes load(const T* p, std::int64_t n, T rest) {
    return map([&](int i) { return i < n ? p[i] : rest; });
  }
  void store(T* p, std::int64_t n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }

  // bf16 in pairs, [width][2]: the first or the second of each.
  static Lanes load_even(const std::uint16_t* p) {
    return map([&](int i) { return T(bf16_to_f32(p[2 * i])); });
  }
  static Lanes load_odd(const std::uint16_t* p) {
    return map([&](int i) { return T(bf16_to_f32(p[2 * i + 1])); });
  }
  static Lanes load_f16(const std::uint16_t* p) {
    return map([&](int i) { return T(f16_to_f32(p[i])); });
  }
  Lanes to_bf16() const {
    return map([&](int i) { return T(round_to_bf16(float(v[i]))); });
  }
  void store_bf16(std::uint16_t* p) const { store_bf16(p, width); }
  void store_bf16(std::uint16_t* p, std::int64_t n) const {
    for (int i = 0; i < n; ++i) p[i] = f32_to_bf16(float(v[i]));
  }
  // bf16 in pairs, [width][2].
  static void store_pairs(std::uint16_t* p, Lanes even, Lanes odd) {
    for (int i = 0; i < width; ++i)
      p[2 * i] = f32_to_bf16(float(even.v[i])), p[2 * i + 1] = f32_to_bf16(float(odd.v[i]));
  }

  // Whole numbers in the range of the integers; of each four of 16 bits the second and the third change places.
  void store_integers(std::int16_t* p) const {
    for (const int i : {0, 2, 1, 3}) *p++ = std::int16_t(v[i]);
  }
  void store_integers(std::int8_t* p) const {
    for (int i = 0; i < width; ++i) p[i] = std::int8_t(v[i]);
  }

  friend Lanes operator+(Lanes a, Lanes b) {
    return map([&](int i) { return a.v[i] + b.v[i]; });
  }
  friend Lanes operator-(Lanes a, Lanes b) {
    return map([&](int i) { return a.v[i] - b.v[i]; });
  }
  friend Lanes operator*(Lanes a, Lanes b) {
    return map([&](int i) { return a.v[i] * b.v[i]; });
  }
  friend Lanes operator/(Lanes a, Lanes b) {
    return map([&](int i) { return a.v[i] / b.v[i]; });
  }
  // a b + c, fused where the instruction set has it.
  friend Lanes fma(Lanes a, Lanes b, Lanes c) {
    return map([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  // b where the two do not compare.
  friend Lanes min(Lanes a, Lanes b) {
    return map([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  friend Lanes max(Lanes a, Lanes b) {
    return map([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  friend Lanes abs(Lanes a) {
    return map([&](int i) { return std::fabs(a.v[i]); });
  }
  friend Lanes copy_sign(Lanes a, Lanes sign) {
    return map([&](int i) { return std::copysign(a.v[i], sign.v[i]); });
  }
  friend Lanes round(Lanes a) {  // to the nearest whole number, for |a| < 2^22
    constexpr T magic = sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0);
    return map([&](int i) { return (a.v[i] + magic) - magic; });
  }
  // a 2^n for whole n in [-126, 127]. Where n is NaN, a is: any power will do.
  friend Lanes times_power_of_2(Lanes a, Lanes n) {
    return map([&](int i) {
      const std::int32_t power = n.v[i] == n.v[i] ? std::int32_t(n.v[i]) : 0;
      return a.v[i] * std::bit_cast<float>((power + 127) << 23);
    });
  }
  friend T sum(Lanes a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
  friend T largest(Lanes a) {
    const T x = a.v[0] > a.v[1] ? a.v[0] : a.v[1], y = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
    return x > y ? x : y;
  }
  static T square_root(T x) { return std::sqrt(x); }

 private:
  template <class F>
  static Lanes map(F f) {
    return {f(0), f(1), f(2), f(3)};
  }
};

// As many 32-bit integers, for blocks.h: also seen as pairs of 16-bit ones.
struct IntLanes {
  static constexpr int width = Lanes<float>::width;
  std::int32_t v[width];

  static IntLanes broadcast(std::int32_t x) { return {x, x, x, x}; }
  static IntLanes load(const std::byte* p) {
    IntLanes a;
    std::memcpy(a.v, p, sizeof a.v);
    return a;
  }
  // The signed bytes 0 and 2, or 1 and 3, of each lane as a pair.
  static IntLanes even_bytes(IntLanes a) {
    return map([&](int i) { return join(std::int8_t(a.v[i]), std::int8_t(a.v[i] >> 16)); });
  }
  static IntLanes odd_bytes(IntLanes a) {
    return map([&](int i) { return join(std::int8_t(a.v[i] >> 8), std::int8_t(a.v[i] >> 24)); });
  }
  // Nibble kNibble of each half of a lane as a pair.
  template <int kNibble>
  static IntLanes nibbles(IntLanes a) {
    return map([&](int i) { return a.v[i] >> 4 * kNibble & 0x000f000f; });
  }
  // Byte kByte of each lane with its sign, and nibble kNibble less 8.
  template <int kByte>
  static IntLanes byte(IntLanes a) {
    return map([&](int i) { return std::int32_t(std::int8_t(a.v[i] >> 8 * kByte)); });
  }
  template <int kNibble>
  static IntLanes nibble(IntLanes a) {
    return map([&](int i) { return (a.v[i] >> 4 * kNibble & 15) - 8; });
  }
  // sum + the products of the pairs.
  static IntLanes dot(IntLanes sum, IntLanes a, IntLanes b) {
    return map([&](int i) {
      return sum.v[i] + std::int16_t(a.v[i]) * std::int16_t(b.v[i]) + (a.v[i] >> 16) * (b.v[i] >> 16);
    });
  }
  // sum + the products of the bytes, those of a unsigned.
  static IntLanes byte_dot(IntLanes sum, IntLanes a, IntLanes b) {
    return map([&](int i) {
      std::int32_t total = sum.v[i];
      for (int shift = 0; shift < 32; shift += 8) total += (a.v[i] >> shift & 255) * std::int8_t(b.v[i] >> shift);
      return total;
    });
  }
  Lanes<float> to_float() const { return {float(v[0]), float(v[1]), float(v[2]), float(v[3])}; }

 private:
  static std::int32_t join(std::int32_t low, std::int32_t high) {
    return std::int32_t(std::uint32_t(high) << 16 | std::uint16_t(low));
  }
  template <class F>
  static IntLanes map(F f) {
    return {f(0), f(1), f(2), f(3)};
  }
};

}  // namespace
}  // namespace paligemma
