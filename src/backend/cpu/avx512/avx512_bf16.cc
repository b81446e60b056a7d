// What AVX512_BF16 adds to AVX-512: products of bf16 by bf16, two elements of k at once.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/peak.h"
#include "backend/cpu/generic/product.h"
#include "backend/cpu/generic/turn.h"

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

// Denormal numbers become zero, which they are to products of bf16 as well.
void narrow_bf16(std::int64_t n, const float* x, std::uint16_t* y) noexcept {
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i));
    _mm512_storeu_si512(y + i, reinterpret_cast<const __m512i&>(pairs));
  }
  for (; i < n; i += 16) {
    const __mmask16 there = F32x16::first(n - i < 16 ? n - i : 16);
    const __m256bh words = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(there, x + i));
    _mm256_mask_storeu_epi16(y + i, there, reinterpret_cast<const __m256i&>(words));
  }
}

// The same of denormal numbers.
struct Narrowing : F32x16 {
  static void store_pairs(std::uint16_t* p, F32x16 even, F32x16 odd) {
    alignas(64) static constexpr std::uint16_t kZip[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                           21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                           11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512bh both = _mm512_cvtne2ps_pbh(odd.v, even.v);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi16(_mm512_load_si512(kZip), reinterpret_cast<const __m512i&>(both)));
  }
};

void pair_bf16(std::int64_t n, const float* even, const float* odd, std::uint16_t* pairs,
               std::ptrdiff_t step) noexcept {
  for (; n >= 16; n -= 16, even += 16, odd += 16, pairs += 2 * step)
    Narrowing::store_pairs(pairs, F32x16::load(even), F32x16::load(odd));
  if (n > 0) Narrowing::store_pairs(pairs, F32x16::load(even, n, 0), F32x16::load(odd, n, 0));
}

}  // namespace

void use_avx512_bf16(Kernels& kernels) noexcept {
  kernels.name = "avx512_bf16";
  kernels.multiply_adds[1] = multiply_adds<Bf16Pairs>;
  kernels.narrow_bf16 = narrow_bf16;
  kernels.pair_bf16 = pair_bf16;
  use_widening<Narrowing, I32x16>(kernels);
  kernels.product[1][1] = kernels.product[2][1] = {Tiles<Bf16Pairs, 12, 2, 8>::run, Left::bf16};
}

}  // namespace paligemma
