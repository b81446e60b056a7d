// Stands in front of the compiler's header: AVX-512 in plain C by SIMDe, so that those kernels are tested on any
// x86-64.
#pragma once
#include_next <immintrin.h>
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#include "base/dtype.h"

// What SIMDe 0.7.4 lacks or has wrong: loads and stores of the lanes in a mask, reductions (in the order of the real
// ones), f16 and products of 16-bit integers.
static inline simde__m512 emulated_mask_loadu_ps(simde__m512 rest, simde__mmask16 mask, const void* from) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, rest);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) lanes[i] = static_cast<const float*>(from)[i];
  }
  return simde_mm512_loadu_ps(lanes);
}
static inline void emulated_mask_storeu_ps(void* to, simde__mmask16 mask, simde__m512 values) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, values);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) static_cast<float*>(to)[i] = lanes[i];
  }
}
static inline void emulated_mask_cvtepi32_storeu_epi16(void* to, simde__mmask16 mask, simde__m512i values) {
  int lanes[16];
  simde_mm512_storeu_si512(lanes, values);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) static_cast<unsigned short*>(to)[i] = static_cast<unsigned short>(lanes[i]);
  }
}
static inline float emulated_reduce_add_ps(simde__m512 values) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, values);
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}
static inline float emulated_reduce_max_ps(simde__m512 values) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, values);
  float most = lanes[0];
  for (float lane : lanes) most = lane > most ? lane : most;
  return most;
}
static inline simde__m512 emulated_cvtph_ps(simde__m256i halves) {
  unsigned short bits[16];
  float lanes[16];
  simde_mm256_storeu_si256(bits, halves);
  for (int i = 0; i < 16; ++i) lanes[i] = paligemma::f16_to_f32(bits[i]);
  return simde_mm512_loadu_ps(lanes);
}
static inline simde__m512i emulated_madd_epi16(simde__m512i a, simde__m512i b) {
  short x[32], y[32];
  int sums[16];
  simde_mm512_storeu_si512(x, a);
  simde_mm512_storeu_si512(y, b);
  for (int i = 0; i < 16; ++i) sums[i] = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
  return simde_mm512_loadu_si512(sums);
}
static inline simde__m512 emulated_cvtepi32_ps(simde__m512i values) {
  int from[16];
  float lanes[16];
  simde_mm512_storeu_si512(from, values);
  for (int i = 0; i < 16; ++i) lanes[i] = static_cast<float>(from[i]);
  return simde_mm512_loadu_ps(lanes);
}
static inline simde__m256i emulated_cvtepi32_epi16(simde__m512i values) {
  int from[16];
  unsigned short lanes[16];
  simde_mm512_storeu_si512(from, values);
  for (int i = 0; i < 16; ++i) lanes[i] = static_cast<unsigned short>(from[i]);
  return simde_mm256_loadu_si256(lanes);
}
static inline simde__m512 emulated_maskz_loadu_ps(simde__mmask16 mask, const void* from) {
  return emulated_mask_loadu_ps(simde_mm512_setzero_ps(), mask, from);
}
static inline void emulated_mask_storeu_epi16(void* to, simde__mmask16 mask, simde__m256i values) {
  unsigned short lanes[16];
  simde_mm256_storeu_si256(lanes, values);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) static_cast<unsigned short*>(to)[i] = lanes[i];
  }
}
// The processor's own narrowing takes denormal numbers for zeros.
static inline void emulated_narrow(unsigned short* to, simde__m512 values) {
  float lanes[16];
  simde_mm512_storeu_ps(lanes, values);
  for (int i = 0; i < 16; ++i) {
    const bool denormal = __builtin_fabsf(lanes[i]) < __FLT_MIN__;
    to[i] = paligemma::f32_to_bf16(denormal ? __builtin_copysignf(0, lanes[i]) : lanes[i]);
  }
}
static inline __m256bh emulated_cvtneps_pbh(simde__m512 values) {
  __m256bh narrow;
  emulated_narrow(reinterpret_cast<unsigned short*>(&narrow), values);
  return narrow;
}
static inline __m512bh emulated_cvtne2ps_pbh(simde__m512 high, simde__m512 low) {
  __m512bh narrow;
  emulated_narrow(reinterpret_cast<unsigned short*>(&narrow), low);
  emulated_narrow(reinterpret_cast<unsigned short*>(&narrow) + 16, high);
  return narrow;
}
static inline simde__m512i emulated_srai_epi32(simde__m512i values, unsigned shift) {
  int lanes[16];
  simde_mm512_storeu_si512(lanes, values);
  for (int& lane : lanes) lane >>= shift;
  return simde_mm512_loadu_si512(lanes);
}
static inline simde__m512i emulated_cvtps_epi32(simde__m512 values) {
  float from[16];
  int lanes[16];
  simde_mm512_storeu_ps(from, values);
  for (int i = 0; i < 16; ++i) lanes[i] = static_cast<int>(__builtin_lrintf(from[i]));
  return simde_mm512_loadu_si512(lanes);
}
static inline simde__m512 emulated_permute_ps(simde__m512 values, int order) {
  float from[16], lanes[16];
  simde_mm512_storeu_ps(from, values);
  for (int i = 0; i < 16; ++i) lanes[i] = from[(i & ~3) | (order >> 2 * (i & 3) & 3)];
  return simde_mm512_loadu_ps(lanes);
}
static inline simde__m512i emulated_shuffle_i64x2(simde__m512i a, simde__m512i b, int order) {
  long long x[8], y[8], lanes[8];
  simde_mm512_storeu_si512(x, a);
  simde_mm512_storeu_si512(y, b);
  for (int i = 0; i < 8; ++i) lanes[i] = (i < 4 ? x : y)[2 * (order >> 2 * (i / 2) & 3) + i % 2];
  return simde_mm512_loadu_si512(lanes);
}
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 emulated_madd_epi16
#undef _mm512_cvtph_ps
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_reduce_add_ps emulated_reduce_add_ps
#define _mm512_reduce_max_ps emulated_reduce_max_ps
#define _mm512_mask_loadu_ps emulated_mask_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_mask_cvtepi32_storeu_epi16 emulated_mask_cvtepi32_storeu_epi16
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm256_mask_storeu_epi16 emulated_mask_storeu_epi16
#define _mm512_cvtneps_pbh emulated_cvtneps_pbh
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps_pbh
#define _mm512_srai_epi32 emulated_srai_epi32
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#undef _mm512_permute_ps
#define _mm512_permute_ps emulated_permute_ps
#undef _mm512_shuffle_i64x2
#define _mm512_shuffle_i64x2 emulated_shuffle_i64x2
