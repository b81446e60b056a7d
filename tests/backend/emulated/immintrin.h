// Stands in front of the compiler's header: AVX-512 in plain C by SIMDe, so that those kernels are tested on any
// x86-64.
#pragma once
#include_next <immintrin.h>
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

// What SIMDe 0.7.4 lacks: loads and stores of the lanes in a mask, and reductions (in the order of the real ones).
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
#define _mm512_reduce_add_ps emulated_reduce_add_ps
#define _mm512_reduce_max_ps emulated_reduce_max_ps
#define _mm512_mask_loadu_ps emulated_mask_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_mask_cvtepi32_storeu_epi16 emulated_mask_cvtepi32_storeu_epi16
