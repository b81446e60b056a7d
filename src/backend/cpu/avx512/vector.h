// The vector type of the AVX-512 kernels: what portable/lanes.h describes. Internal linkage: see generic/math.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace paligemma {
namespace {

struct F32x16 {
  using Scalar = float;
  static constexpr int width = 16;
  __m512 v;

  static F32x16 broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }

  static __mmask16 first(std::int64_t n) { return __mmask16((1u << n) - 1u); }
  static F32x16 load(const float* p, std::int64_t n, float rest) {
    return {_mm512_mask_loadu_ps(_mm512_set1_ps(rest), first(n), p)};
  }
  void store(float* p, std::int64_t n) const { _mm512_mask_storeu_ps(p, first(n), v); }

  static __m512i load_pairs(const std::uint16_t* p) { return _mm512_loadu_si512(p); }
  static F32x16 load_even(const std::uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(load_pairs(p), 16))};
  }
  static F32x16 load_odd(const std::uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_and_si512(load_pairs(p), _mm512_set1_epi32(int(0xffff0000u))))};
  }
  static F32x16 load_f16(const std::uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  // Round to nearest even by adding 0x7fff and the lowest bit that stays; a NaN stays one.
  F32x16 to_bf16() const {
    const __m512i bits = _mm512_castps_si512(v), high = _mm512_set1_epi32(int(0xffff0000u));
    const __m512i lowest = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(lowest, _mm512_set1_epi32(0x7fff)));
    const __m512i nan = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __mmask16 unordered = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_mask_mov_epi32(sum, unordered, nan), high))};
  }
  void store_bf16(std::uint16_t* p) const {
    const __m512i high = _mm512_srli_epi32(_mm512_castps_si512(to_bf16().v), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(high));
  }
  void store_bf16(std::uint16_t* p, std::int64_t n) const {
    _mm512_mask_cvtepi32_storeu_epi16(p, first(n), _mm512_srli_epi32(_mm512_castps_si512(to_bf16().v), 16));
  }
  static void store_pairs(std::uint16_t* p, F32x16 even, F32x16 odd) {
    const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(even.to_bf16().v), 16);
    _mm512_storeu_si512(p, _mm512_or_si512(low, _mm512_castps_si512(odd.to_bf16().v)));
  }

  // As portable/lanes.h says.
  void store_integers(std::int8_t* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  void store_integers(std::int16_t* p) const {
    const __m512i turned = _mm512_cvtps_epi32(_mm512_permute_ps(v, _MM_SHUFFLE(3, 1, 2, 0)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(turned));
  }

  friend F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
  friend F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  friend F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend F32x16 abs(F32x16 a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
  friend F32x16 copy_sign(F32x16 a, F32x16 sign) {
    return {_mm512_or_ps(abs(a).v, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.v))};
  }
  friend F32x16 round(F32x16 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
  friend F32x16 times_power_of_2(F32x16 a, F32x16 n) { return {_mm512_scalef_ps(a.v, n.v)}; }
  friend float sum(F32x16 a) { return _mm512_reduce_add_ps(a.v); }
  friend float largest(F32x16 a) { return _mm512_reduce_max_ps(a.v); }
  static float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
};

// What portable/lanes.h describes.
struct I32x16 {
  __m512i v;

  static I32x16 broadcast(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
  static I32x16 load(const std::byte* p) { return {_mm512_loadu_si512(p)}; }
  static I32x16 even_bytes(I32x16 a) { return {_mm512_srai_epi16(_mm512_slli_epi16(a.v, 8), 8)}; }
  static I32x16 odd_bytes(I32x16 a) { return {_mm512_srai_epi16(a.v, 8)}; }
  template <int kNibble>
  static I32x16 nibbles(I32x16 a) {
    return {_mm512_and_si512(_mm512_srli_epi16(a.v, 4 * kNibble), _mm512_set1_epi16(15))};
  }
  static I32x16 times_16(I32x16 a) { return {_mm512_slli_epi32(a.v, 4)}; }
  static I32x16 add_128(I32x16 a) { return {_mm512_xor_si512(a.v, _mm512_set1_epi8(-128))}; }
  template <int kHalf>
  static I32x16 half_bytes(I32x16 a) {
    return {_mm512_and_si512(_mm512_srli_epi16(a.v, 4 * kHalf), _mm512_set1_epi8(15))};
  }
  template <int kByte>
  static I32x16 byte(I32x16 a) {
    return {_mm512_srai_epi32(_mm512_slli_epi32(a.v, 24 - 8 * kByte), 24)};
  }
  template <int kNibble>
  static I32x16 nibble(I32x16 a) {
    const __m512i bits = _mm512_and_si512(_mm512_srli_epi32(a.v, 4 * kNibble), _mm512_set1_epi32(15));
    return {_mm512_sub_epi32(bits, _mm512_set1_epi32(8))};
  }
  static I32x16 dot(I32x16 sum, I32x16 a, I32x16 b) { return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(a.v, b.v))}; }
  static I32x16 byte_dot(I32x16 sum, I32x16 a, I32x16 b) {
    return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(_mm512_maddubs_epi16(a.v, b.v), _mm512_set1_epi16(1)))};
  }
  F32x16 to_float() const { return {_mm512_cvtepi32_ps(v)}; }
};

}  // namespace
}  // namespace paligemma
