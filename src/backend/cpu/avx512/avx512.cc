// The kernels in AVX-512 F, BW, VL and DQ. The only includes beside the intrinsics are headers without inline code.
#include "backend/cpu/avx512/vector.h"
#include "backend/cpu/generic/blocks.h"
#include "backend/cpu/generic/gradients.h"
#include "backend/cpu/generic/peak.h"
#include "backend/cpu/generic/product.h"
#include "backend/cpu/generic/rows.h"
#include "backend/cpu/generic/turn.h"

namespace paligemma {
namespace {

// Words, pairs of them and halves of lanes change places within lanes of 128 bits; then lanes do, in two rounds.
void turn_words(const float* from, std::ptrdiff_t from_stride, float* to, std::ptrdiff_t to_stride) noexcept {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(from + i * from_stride);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  // a[4 i + j] holds in its lane l column 4 l + j of rows 4 i to 4 i + 3.
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  for (int j = 0; j < 4; ++j) {
    const __m512i low = _mm512_shuffle_i64x2(a[j], a[j + 4], _MM_SHUFFLE(2, 0, 2, 0)),
                  high = _mm512_shuffle_i64x2(a[j], a[j + 4], _MM_SHUFFLE(3, 1, 3, 1)),
                  low2 = _mm512_shuffle_i64x2(a[j + 8], a[j + 12], _MM_SHUFFLE(2, 0, 2, 0)),
                  high2 = _mm512_shuffle_i64x2(a[j + 8], a[j + 12], _MM_SHUFFLE(3, 1, 3, 1));
    _mm512_storeu_si512(to + j * to_stride, _mm512_shuffle_i64x2(low, low2, _MM_SHUFFLE(2, 0, 2, 0)));
    _mm512_storeu_si512(to + (j + 4) * to_stride, _mm512_shuffle_i64x2(high, high2, _MM_SHUFFLE(2, 0, 2, 0)));
    _mm512_storeu_si512(to + (j + 8) * to_stride, _mm512_shuffle_i64x2(low, low2, _MM_SHUFFLE(3, 1, 3, 1)));
    _mm512_storeu_si512(to + (j + 12) * to_stride, _mm512_shuffle_i64x2(high, high2, _MM_SHUFFLE(3, 1, 3, 1)));
  }
}

// The 8 x 8 squares of 64 bits (generic/turn.h) change places in three rounds: neighbours, pairs, fours.
void turn_bf16(const std::uint16_t* panel, std::uint16_t* turned) noexcept {
  const __m512i inside = _mm512_set4_epi32(0x0f0e0b0a, 0x0d0c0908, 0x07060302, 0x05040100);
  __m512i a[8], b[8];
  for (int i = 0; i < 8; ++i) a[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(panel + 32 * i), inside);
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 1]);
  }
  const __m512i low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      a[i + j] = _mm512_permutex2var_epi64(b[i + j], low, b[i + j + 2]);
      a[i + j + 2] = _mm512_permutex2var_epi64(b[i + j], high, b[i + j + 2]);
    }
  }
  // a[j] holds of rows 0 to 3 (or 4 to 7) the squares j and, in its upper half, j + 4.
  for (int j = 0; j < 4; ++j) {
    _mm512_storeu_si512(turned + 32 * j, _mm512_shuffle_i64x2(a[j], a[j + 4], _MM_SHUFFLE(1, 0, 1, 0)));
    _mm512_storeu_si512(turned + 32 * (j + 4), _mm512_shuffle_i64x2(a[j], a[j + 4], _MM_SHUFFLE(3, 2, 3, 2)));
  }
}

}  // namespace

void use_avx512(Kernels& kernels) noexcept {
  using V = F32x16;
  // 12 x 32: 24 of the 32 registers hold sums.
  constexpr ProductKernel f32{Tiles<F32Panels<V>, 12, 2, 8>::run}, bf16{Tiles<Bf16Panels<V>, 12, 2, 8>::run};
  kernels.name = "avx512";
  for (auto& of_precision : kernels.product) of_precision[0] = f32, of_precision[1] = bf16;
  kernels.tile_rows = 12;
  kernels.streams = 8;
  kernels.multiply_adds[0] = kernels.multiply_adds[1] = multiply_adds<F32Panels<V>>;
  kernels.multiply_adds[2] = byte_multiply_adds<I32x16, false>;
  // 6 x 32: 12 registers hold sums of blocks, 12 those of all.
  use_words<V, I32x16, I32x16, 6, 2, 8>(kernels);
  use_rows<V>(kernels);
  use_gradients<V>(kernels);
  use_widening<V, I32x16>(kernels);
  kernels.turn_words = turn_words;
  kernels.turn_bf16 = turn_bf16;
}

}  // namespace paligemma
