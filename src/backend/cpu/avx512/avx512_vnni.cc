// What AVX512_VNNI adds to AVX-512: products of 16-bit integers that are added up at once.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/blocks.h"

namespace paligemma {
namespace {

struct VnniI32x16 : I32x16 {
  static VnniI32x16 broadcast(std::int32_t x) { return {I32x16::broadcast(x)}; }
  static VnniI32x16 load(const std::byte* p) { return {I32x16::load(p)}; }
  static VnniI32x16 pair(const std::int16_t* p) { return {I32x16::pair(p)}; }
  static VnniI32x16 even_bytes(I32x16 a) { return {I32x16::even_bytes(a)}; }
  static VnniI32x16 odd_bytes(I32x16 a) { return {I32x16::odd_bytes(a)}; }
  template <int kNibble>
  static VnniI32x16 nibbles(I32x16 a) {
    return {I32x16::nibbles<kNibble>(a)};
  }
  static VnniI32x16 dot(I32x16 sum, I32x16 a, I32x16 b) { return {{_mm512_dpwssd_epi32(sum.v, a.v, b.v)}}; }
};

}  // namespace

void use_avx512_vnni(Kernels& kernels) noexcept {
  kernels.name = "avx512_vnni";
  use_blocks<F32x16, VnniI32x16, 6, 2, 8>(kernels);
}

}  // namespace paligemma
