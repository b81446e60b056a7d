// What AVX512_BF16 adds to AVX-512: products of bf16 by bf16, two elements of k at once.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/peak.h"
#include "backend/cpu/generic/product.h"

namespace paligemma {
namespace {

struct Bf16Pairs {
  using V = F32x16;
  using A = std::uint16_t;
  static constexpr int depth = 2, passes = 1, bytes = 2;
  static constexpr bool widens = false;

  // The tail has one element of k. The other of the pair may be anything, so it is cleared on both sides.
  template <bool kTail>
  static V weights(const std::byte* b, int) {
    __m512i pairs = _mm512_loadu_si512(b);
    if (kTail) pairs = _mm512_and_si512(pairs, _mm512_set1_epi32(0xffff));
    return {_mm512_castsi512_ps(pairs)};
  }
  template <bool kTail>
  static V activation(const A* a, int) {
    std::uint32_t pair = a[0];
    if (!kTail) __builtin_memcpy(&pair, a, sizeof pair);
    return {_mm512_castsi512_ps(_mm512_set1_epi32(int(pair)))};
  }
  static V multiply_add(V a, V b, V c) {
    return {_mm512_dpbf16_ps(c.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
  }
};

}  // namespace

void use_avx512_bf16(Kernels& kernels) noexcept {
  kernels.name = "avx512_bf16";
  kernels.multiply_adds[1] = multiply_adds<Bf16Pairs>;
  kernels.product[1][1] = kernels.product[2][1] = {Tiles<Bf16Pairs, 12, 2, 8>::run, Left::bf16};
}

}  // namespace paligemma
