// What AVX-VNNI adds to AVX2: products of integers of 16 and 8 bits that are added up at once.
#include "backend/cpu/avx2/vector.h"
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/peak.h"

namespace paligemma {
namespace {

struct Words {
  static I32x8 dot(I32x8 sum, I32x8 w, I32x8 a) { return {_mm256_dpwssd_avx_epi32(sum.v, w.v, a.v)}; }
};
struct Bytes {
  static I32x8 dot(I32x8 sum, I32x8 w, I32x8 a) { return {_mm256_dpbusd_avx_epi32(sum.v, w.v, a.v)}; }
  static I32x8 byte_dot(I32x8 sum, I32x8 a, I32x8 b) { return dot(sum, a, b); }
};

}  // namespace

void use_avx2_vnni(Kernels& kernels) noexcept {
  kernels.name = "avx2_vnni";
  kernels.multiply_adds[2] = byte_multiply_adds<I32x8, true, Bytes>;
  use_words<F32x8, I32x8, Words, 3, 1, 2>(kernels);
  use_bytes<F32x8, I32x8, Bytes, 3, 1, 2>(kernels);
}

}  // namespace paligemma
