// What AVX512_VNNI adds to AVX-512: products of integers of 16 and 8 bits that are added up at once.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/peak.h"

namespace paligemma {
namespace {

struct Words {
  static I32x16 dot(I32x16 sum, I32x16 w, I32x16 a) { return {_mm512_dpwssd_epi32(sum.v, w.v, a.v)}; }
};
struct Bytes {
  static I32x16 dot(I32x16 sum, I32x16 w, I32x16 a) { return {_mm512_dpbusd_epi32(sum.v, w.v, a.v)}; }
  static I32x16 byte_dot(I32x16 sum, I32x16 a, I32x16 b) { return dot(sum, a, b); }
};

}  // namespace

void use_avx512_vnni(Kernels& kernels) noexcept {
  kernels.name = "avx512_vnni";
  kernels.multiply_adds[2] = byte_multiply_adds<I32x16, true, Bytes>;
  use_words<F32x16, I32x16, Words, 6, 2, 8>(kernels);
  use_bytes<F32x16, I32x16, Bytes, 6, 2, 8>(kernels);
}

}  // namespace paligemma
