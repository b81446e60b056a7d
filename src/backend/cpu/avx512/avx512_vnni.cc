// What AVX512_VNNI adds to AVX-512: products of 16-bit and of 8-bit integers that are added up at once.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/peak.h"

namespace paligemma {
namespace {

struct Vnni {
  static I32x16 dot(I32x16 sum, I32x16 a, I32x16 b) { return {_mm512_dpwssd_epi32(sum.v, a.v, b.v)}; }
};

struct VnniBytes : I32x16 {
  static I32x16 byte_dot(I32x16 sum, I32x16 a, I32x16 b) { return {_mm512_dpbusd_epi32(sum.v, a.v, b.v)}; }
};

}  // namespace

void use_avx512_vnni(Kernels& kernels) noexcept {
  kernels.name = "avx512_vnni";
  kernels.multiply_adds[2] = byte_multiply_adds<I32x16, true, VnniBytes>;
  use_blocks<F32x16, I32x16, Vnni, 6, 2, 8>(kernels);
}

}  // namespace paligemma
