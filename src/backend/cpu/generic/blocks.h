// Products with weights of 8 and 4 bits in blocks of elements of k, over an operand policy `Op` that names the
// vector types of floats and of 32-bit integers and says how weights come out of a vector of a panel and are
// multiplied.
//
// The activations are integers of 16 or 8 bits with a scale for each block, so that a block's sum is exact in 32 bits;
// the sum of the blocks is a chain of fused multiply-adds in f32, in the order of k. Internal linkage: see math.h.
#pragma once

#include "backend/cpu/generic/product.h"

namespace paligemma {
namespace {

// Elements of k in one step of the tiles.
constexpr std::int64_t kPiece = 32;

// Panels of which kPiece elements are kLoads words of 32 bits for each row of W. Of a word come `parts`, each as long
// as 32 bits of activations, which are of type Activation. A scale is for `length` elements. `Dot` has dot(sum, w, a):
// sum + the products of the integers in w and a.
template <class F, class I, class Dot, class Activation, int kLoads, std::int64_t kLength>
struct BlockPanels {
  using V = F;
  using Ints = I;
  using A = Activation;
  static constexpr std::int64_t length = kLength, piece = kPiece, pieces = length / piece;
  static constexpr int loads = kLoads, piece_bytes = 4 * kPanel * loads;
  static constexpr int in_part = 4 / int(sizeof(A)), parts = int(kPiece) / in_part / loads;
  static constexpr bool widens = false;
  static I dot(I sum, I w, I a) { return Dot::dot(sum, w, a); }
  // Of a block, from -8 times the sum of its activations: makes up for what weights are greater than they should be.
  static I start(const std::int32_t* sum) { return I::broadcast(*sum); }
};

// Words that hold four bytes, k to k + 3: the pairs (k, k + 2), (k + 1, k + 3).
template <class F, class I, class Dot, std::int64_t kLength>
struct Q8Words : BlockPanels<F, I, Dot, std::int16_t, 8, kLength> {
  static I start(const std::int32_t*) { return I::broadcast(0); }
  template <int kPart>
  static I weights(I word) {
    return kPart == 0 ? I::even_bytes(word) : I::odd_bytes(word);
  }
};

// Words that hold eight nibbles, k to k + 3 in the low halves of the bytes and k + 4 to k + 7 in the high ones: the
// pairs (k, k + 2), (k + 1, k + 3) and so on. A nibble stands for itself less 8: the activations' sum makes up for it.
template <class F, class I, class Dot>
struct Q4Words : BlockPanels<F, I, Dot, std::int16_t, 4, kQuantBlock> {
  template <int kPart>
  static I weights(I word) {
    constexpr int kNibble[] = {0, 2, 1, 3};
    return I::template nibbles<kNibble[kPart]>(word);
  }
};

// The same for a `Dot` of unsigned by signed bytes: the weights are the unsigned ones.
template <class F, class I, class Dot>
struct Q8Bytes : BlockPanels<F, I, Dot, std::int8_t, 8, kLongBlock> {
  static I start(const std::int32_t* sum) { return I::times_16(I::broadcast(*sum)); }
  template <int kPart>
  static I weights(I word) {
    return I::add_128(word);
  }
};
template <class F, class I, class Dot>
struct Q4Bytes : BlockPanels<F, I, Dot, std::int8_t, 4, kQuantBlock> {
  template <int kPart>
  static I weights(I word) {
    return I::template half_bytes<kPart>(word);
  }
};

// 32 bits of activations, the same in all lanes.
template <class I, class A>
I broadcast_part(const A* a) {
  std::int32_t bits;
  __builtin_memcpy(&bits, a, sizeof bits);
  return I::broadcast(bits);
}

// A few rows read panels faster than the processor's own prefetching follows, which starts anew with each page: so far
// ahead, and in the panels that come next, pieces are fetched into the second cache.
constexpr std::int64_t kPiecesAhead = 16;

// What Tile of product.h is for plain panels.
template <class Op, int kRows, int kPanels>
struct BlockTile {
  using V = typename Op::V;
  using I = typename Op::Ints;
  using A = typename Op::A;
  static constexpr int kVectors = kPanels * kPanel / V::width;
  static constexpr int kInPanel = kPanel / V::width;

  // The parts from kPart on of one word of weights, with the activations of all rows.
  template <int kPart>
  [[gnu::always_inline]] static inline void add_parts(I (&dots)[kRows][kVectors], int v, I word, const A* a,
                                                      std::ptrdiff_t a_stride) {
    const I w = Op::template weights<kPart>(word);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      dots[r][v] = Op::dot(dots[r][v], w, broadcast_part<I>(a + r * a_stride + Op::in_part * kPart));
    }
    if constexpr (kPart + 1 < Op::parts) add_parts<kPart + 1>(dots, v, word, a, a_stride);
  }

  // Word `load` of the piece, of all panels.
  [[gnu::always_inline]] static inline void add_words(I (&dots)[kRows][kVectors], const std::byte* b,
                                                      std::ptrdiff_t b_stride, int load, const A* a,
                                                      std::ptrdiff_t a_stride) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      const I word = I::load(b + (v / kInPanel) * b_stride + load * 4 * kPanel + (v % kInPanel) * V::width * 4);
      add_parts<0>(dots, v, word, a + load * Op::parts * Op::in_part, a_stride);
    }
  }

  // Piece `wanted` of each panel, of `size` bytes; beyond the last one, of the panels that come next.
  [[gnu::always_inline]] static inline void fetch(const std::byte* first, std::ptrdiff_t stride, std::int64_t size,
                                                  std::int64_t wanted, std::int64_t all) {
    const std::byte* at = wanted < all ? first + wanted * size : first + kPanels * stride + (wanted - all) * size;
#pragma GCC unroll 8
    for (int j = 0; j < kPanels; ++j) {
#pragma GCC unroll 8
      for (std::int64_t line = 0; line < size; line += 64) __builtin_prefetch(at + j * stride + line, 0, 2);
    }
  }

  static void run(const Product& p, std::int64_t row, const std::byte* b, const float* bias, float* c,
                  std::ptrdiff_t c_stride) {
    const std::int64_t blocks = p.k / Op::length;
    const std::byte* const first = b;
    const auto* a = static_cast<const A*>(p.a) + row * p.a_stride;
    const float* a_scales = p.a_scales + row * p.a_blocks;
    const std::int32_t* a_sums = p.a_sums + row * p.a_blocks;
    const std::byte* b_scales = b + p.b_scales;
    V sums[kRows][kVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = p.accumulate ? V::load(c + r * c_stride + v * V::width) : V::broadcast(0);
      }
    }
    for (std::int64_t block = 0; block < blocks; ++block) {
      if (kRows <= 2 && block % 2 == 0) {  // two blocks' scales are a line
        fetch(b_scales, p.b_stride, kPanel * 2, block + kPiecesAhead / Op::pieces, blocks);
      }
      I dots[kRows][kVectors];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) dots[r][v] = Op::start(a_sums + r * p.a_blocks + block);
      }
      for (std::int64_t piece = 0; piece < Op::pieces; ++piece, a += kPiece, b += Op::piece_bytes) {
        if constexpr (kRows <= 2) {
          fetch(first, p.b_stride, Op::piece_bytes, block * Op::pieces + piece + kPiecesAhead, blocks * Op::pieces);
        }
        // Where a word of a panel is a vector the code stays small.
        if constexpr (kInPanel == 1) {
#pragma GCC unroll 8
          for (int load = 0; load < Op::loads; ++load) add_words(dots, b, p.b_stride, load, a, p.a_stride);
        } else {
          for (int load = 0; load < Op::loads; ++load) add_words(dots, b, p.b_stride, load, a, p.a_stride);
        }
      }
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        const std::byte* at = b_scales + (v / kInPanel) * p.b_stride + (block * kPanel + (v % kInPanel) * V::width) * 2;
        const V scale = V::load_f16(reinterpret_cast<const std::uint16_t*>(at));
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          sums[r][v] = fma(dots[r][v].to_float(), V::broadcast(a_scales[r * p.a_blocks + block]) * scale, sums[r][v]);
        }
      }
    }
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        if (bias != nullptr) sums[r][v] = sums[r][v] + V::load(bias + v * V::width);
        sums[r][v].store(c + r * c_stride + v * V::width);
      }
    }
  }
};

// Into the form that the tiles want. A block with a number that is not finite gives NaN.
template <class V, std::int64_t kLength, class Integer>
void quantize(std::int64_t n, const float* x, float levels, Integer* q, float* scales, std::int32_t* sums) noexcept {
  constexpr int kVectors = int(kLength) / V::width;
  for (; n > 0; n -= kLength, x += kLength, q += kLength) {
    V block[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t left = n - v * V::width;
      block[v] = left >= V::width ? V::load(x + v * V::width)
                 : left > 0       ? V::load(x + v * V::width, left, 0)
                                  : V::broadcast(0);
    }
    V sizes = abs(block[0]), not_finite = V::broadcast(0) * block[0];
    for (int v = 1; v < kVectors; ++v) {
      sizes = max(sizes, abs(block[v]));
      not_finite = fma(V::broadcast(0), block[v], not_finite);
    }
    const float most = largest(sizes), inverse = most > 0 ? levels / most : 0;
    V total = V::broadcast(0);
    for (int v = 0; v < kVectors; ++v) {
      const V value = max(block[v] * V::broadcast(inverse), V::broadcast(-levels));
      const V whole = round(min(value, V::broadcast(levels)));
      whole.store_integers(q + v * V::width);
      total = total + whole;  // exact: below 2^24
    }
    *scales++ = most / levels + sum(not_finite);
    *sums++ = -8 * std::int32_t(sum(total));
  }
}

template <class V, std::int64_t kLength>
void quantize_bytes(std::int64_t n, const float* x, std::int8_t* q, float* scales, std::int32_t* sums) noexcept {
  quantize<V, kLength>(n, x, 127, q, scales, sums);
}

// kMaxRows x kMaxPanels fills the registers with sums of blocks and of all.
template <class F, class I, class Dot, int kMaxRows, int kMaxPanels, int kStreams>
void use_words(Kernels& kernels) {
  for (auto& of_precision : kernels.product) {
    of_precision[2] = {Tiles<Q8Words<F, I, Dot, kQuantBlock>, kMaxRows, kMaxPanels, kStreams, BlockTile>::run,
                       Left::words};
    of_precision[3] = {Tiles<Q4Words<F, I, Dot>, kMaxRows, kMaxPanels, kStreams, BlockTile>::run, Left::words};
    of_precision[4] = {Tiles<Q8Words<F, I, Dot, kLongBlock>, kMaxRows, kMaxPanels, kStreams, BlockTile>::run,
                       Left::long_words};
  }
  kernels.quantize_words[0] = quantize<F, kQuantBlock, std::int16_t>;
  kernels.quantize_words[1] = quantize<F, kLongBlock, std::int16_t>;
}

// Of q8 weights there are none: int8 wants them in long blocks.
template <class F, class I, class Dot, int kMaxRows, int kMaxPanels, int kStreams>
void use_bytes(Kernels& kernels) {
  auto& int8 = kernels.product[2];
  int8[3] = {Tiles<Q4Bytes<F, I, Dot>, kMaxRows, kMaxPanels, kStreams, BlockTile>::run, Left::bytes};
  int8[4] = {Tiles<Q8Bytes<F, I, Dot>, kMaxRows, kMaxPanels, kStreams, BlockTile>::run, Left::long_bytes};
  kernels.quantize_bytes[0] = quantize_bytes<F, kQuantBlock>;
  kernels.quantize_bytes[1] = quantize_bytes<F, kLongBlock>;
}

}  // namespace
}  // namespace paligemma
