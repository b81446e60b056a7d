// The vector types of the AVX2 kernels: what portable/lanes.h describes. Internal linkage: see generic/math.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace paligemma {
namespace {

struct F32x8 {
  using Scalar = float;
  static constexpr int width = 8;
  __m256 v;

  static F32x8 broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static F32x8 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }

  static __m256i first(std::int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static F32x8 load(const float* p, std::int64_t n, float rest) {
    const __m256i mask = first(n);
    return {_mm256_blendv_ps(_mm256_set1_ps(rest), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask))};
  }
  void store(float* p, std::int64_t n) const { _mm256_maskstore_ps(p, first(n), v); }

  static __m256i load_pairs(const std::uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static F32x8 load_even(const std::uint16_t* p) { return {_mm256_castsi256_ps(_mm256_slli_epi32(load_pairs(p), 16))}; }
  static F32x8 load_odd(const std::uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_and_si256(load_pairs(p), _mm256_set1_epi32(int(0xffff0000u))))};
  }
  static F32x8 load_f16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  // Round to nearest even by adding 0x7fff and the lowest bit that stays; a NaN stays one.
  F32x8 to_bf16() const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i lowest = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(lowest, _mm256_set1_epi32(0x7fff)));
    const __m256i rounded = _mm256_and_si256(sum, _mm256_set1_epi32(int(0xffff0000u)));
    const __m256 nan = _mm256_and_ps(_mm256_or_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x400000))),
                                     _mm256_castsi256_ps(_mm256_set1_epi32(int(0xffff0000u))));
    return {_mm256_blendv_ps(_mm256_castsi256_ps(rounded), nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q))};
  }
  void store_bf16(std::uint16_t* p) const {
    const __m256i high = _mm256_srli_epi32(_mm256_castps_si256(to_bf16().v), 16);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1)));
  }
  void store_bf16(std::uint16_t* p, std::int64_t n) const {
    alignas(16) std::uint16_t all[width];
    store_bf16(all);
    for (int i = 0; i < n; ++i) p[i] = all[i];
  }
  static void store_pairs(std::uint16_t* p, F32x8 even, F32x8 odd) {
    const __m256i low = _mm256_srli_epi32(_mm256_castps_si256(even.to_bf16().v), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_or_si256(low, _mm256_castps_si256(odd.to_bf16().v)));
  }

  void store_integers(std::int16_t* p) const {
    const __m256i turned = _mm256_cvtps_epi32(_mm256_permute_ps(v, _MM_SHUFFLE(3, 1, 2, 0)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi32(_mm256_castsi256_si128(turned), _mm256_extracti128_si256(turned, 1)));
  }

  void store_integers(std::int8_t* p) const {
    const __m256i whole = _mm256_cvtps_epi32(v);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }

  friend F32x8 operator+(F32x8 a, F32x8 b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend F32x8 operator-(F32x8 a, F32x8 b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend F32x8 operator*(F32x8 a, F32x8 b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend F32x8 operator/(F32x8 a, F32x8 b) { return {_mm256_div_ps(a.v, b.v)}; }
  friend F32x8 fma(F32x8 a, F32x8 b, F32x8 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  friend F32x8 min(F32x8 a, F32x8 b) { return {_mm256_min_ps(a.v, b.v)}; }
  friend F32x8 max(F32x8 a, F32x8 b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend F32x8 abs(F32x8 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  friend F32x8 copy_sign(F32x8 a, F32x8 sign) {
    return {_mm256_or_ps(abs(a).v, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign.v))};
  }
  friend F32x8 round(F32x8 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
  friend F32x8 times_power_of_2(F32x8 a, F32x8 n) {
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127)), 23);
    return {_mm256_mul_ps(a.v, _mm256_castsi256_ps(power))};
  }
  friend float sum(F32x8 a) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
  }
  friend float largest(F32x8 a) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
  }
  static float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
};

struct I32x8 {
  __m256i v;

  static I32x8 broadcast(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
  static I32x8 load(const std::byte* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
  static I32x8 even_bytes(I32x8 a) { return {_mm256_srai_epi16(_mm256_slli_epi16(a.v, 8), 8)}; }
  static I32x8 odd_bytes(I32x8 a) { return {_mm256_srai_epi16(a.v, 8)}; }
  template <int kNibble>
  static I32x8 nibbles(I32x8 a) {
    return {_mm256_and_si256(_mm256_srli_epi16(a.v, 4 * kNibble), _mm256_set1_epi16(15))};
  }
  static I32x8 times_16(I32x8 a) { return {_mm256_slli_epi32(a.v, 4)}; }
  static I32x8 add_128(I32x8 a) { return {_mm256_xor_si256(a.v, _mm256_set1_epi8(-128))}; }
  template <int kHalf>
  static I32x8 half_bytes(I32x8 a) {
    return {_mm256_and_si256(_mm256_srli_epi16(a.v, 4 * kHalf), _mm256_set1_epi8(15))};
  }
  template <int kByte>
  static I32x8 byte(I32x8 a) {
    return {_mm256_srai_epi32(_mm256_slli_epi32(a.v, 24 - 8 * kByte), 24)};
  }
  template <int kNibble>
  static I32x8 nibble(I32x8 a) {
    const __m256i bits = _mm256_and_si256(_mm256_srli_epi32(a.v, 4 * kNibble), _mm256_set1_epi32(15));
    return {_mm256_sub_epi32(bits, _mm256_set1_epi32(8))};
  }
  static I32x8 dot(I32x8 sum, I32x8 a, I32x8 b) { return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(a.v, b.v))}; }
  static I32x8 byte_dot(I32x8 sum, I32x8 a, I32x8 b) {
    return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(_mm256_maddubs_epi16(a.v, b.v), _mm256_set1_epi16(1)))};
  }
  F32x8 to_float() const { return {_mm256_cvtepi32_ps(v)}; }
};

}  // namespace
}  // namespace paligemma
