// The inner waist: what an instruction set does, as a table of functions over raw pointers, sizes and strides. They
// start no threads, allocate nothing and check nothing. Strides count elements unless they say bytes.
//
// Included by files that are compiled for one instruction set each: declarations only, so that no inline function can
// leave such a file and be called on a processor that lacks its instructions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/quant_block.h"

namespace paligemma {

// Rows of W in a panel. A matrix (N, K) is stored as ceil(N / 16) panels; inside a panel K runs outermost:
// f32 as [K][16], 16-bit types in pairs as [ceil(K / 2)][16][2], types in blocks of L elements as [ceil(K / L)] blocks
// of all 16 rows (generic/blocks.h says what is in one) and then [ceil(K / L)][16] scales in f16. What is missing at
// the edges is zero.
constexpr std::int64_t kPanel = 16;

// C (rows, columns) = A (rows, k) * B, or += when `accumulate`; B is (columns, k) in panels. At its end `bias`
// (columns) is added to each row.
// Each element of C is one chain of fused multiply-adds (on portable: multiply, then add) over k in order, held in f32:
// its bits do not depend on rows, columns, or on cutting k into several accumulating calls at even places.
struct Product {
  const void* a = nullptr;  // what the kernel's Left says
  std::ptrdiff_t a_stride = 0;
  const void* b = nullptr;
  std::ptrdiff_t b_stride = 0;  // bytes from panel to panel
  float* c = nullptr;
  std::ptrdiff_t c_stride = 0;
  std::int64_t rows = 0, columns = 0, k = 0;  // in blocks k is whole blocks
  bool accumulate = false;
  const float* bias = nullptr;
  const void* next = nullptr;  // panels that the caller will want after these: worth fetching, or null
  // Of blocks alone: for each row and block the scale, and -8 times the sum of its integers; the way from b to the
  // scales of its blocks, in bytes.
  const float* a_scales = nullptr;
  const std::int32_t* a_sums = nullptr;
  std::ptrdiff_t a_blocks = 0;  // from row to row of both
  std::ptrdiff_t b_scales = 0;
};

// What A holds. Words and bytes are integers of 16 and 8 bits in blocks as long as those of the weights, as
// quantize_words and quantize_bytes give them.
enum class Left : std::uint8_t { f32, bf16, words, bytes, long_words, long_bytes };
constexpr int kLefts = 6;

constexpr bool in_blocks(Left left) { return left >= Left::words; }
constexpr bool in_bytes(Left left) { return left == Left::bytes || left == Left::long_bytes; }
constexpr std::int64_t block_length(Left left) {
  return left == Left::long_words || left == Left::long_bytes ? kLongBlock : kQuantBlock;
}

struct ProductKernel {
  void (*run)(const Product&) noexcept = nullptr;
  Left left = Left::f32;
};

struct Kernels {
  const char* name = nullptr;

  // [Precision][DType of the panels: f32, bf16, q8, q4, int8]. A has been rounded to the precision by the caller.
  ProductKernel product[3][5];
  std::int64_t tile_rows = 0;  // rows of A that a product takes in one step
  std::int64_t streams = 0;    // panels that it takes at once when there is but one such step

  // y = bf16(x), as float and as bf16, which may have zeros for denormal numbers. y may be x.
  void (*round_bf16)(std::int64_t n, const float* x, float* y) noexcept = nullptr;
  void (*narrow_bf16)(std::int64_t n, const float* x, std::uint16_t* y) noexcept = nullptr;

  // n elements as blocks of integers, the last one filled up: q = x / scale, of which the largest is +-levels in each
  // block, and -8 times the blocks' sums. Bytes have 127 levels. [0] makes blocks of kQuantBlock, [1] of kLongBlock.
  void (*quantize_words[2])(std::int64_t n, const float* x, float levels, std::int16_t* q, float* scales,
                            std::int32_t* sums) noexcept = {};
  void (*quantize_bytes[2])(std::int64_t n, const float* x, std::int8_t* q, float* scales,
                            std::int32_t* sums) noexcept = {};

  void (*add)(std::int64_t n, const float* a, float* x) noexcept = nullptr;                  // x += a
  void (*scale)(std::int64_t n, float factor, const float* x, float* y) noexcept = nullptr;  // y = factor x
  // x = x scale + offset
  void (*affine)(std::int64_t n, const float* scale, const float* offset, float* x) noexcept = nullptr;
  void (*gelu)(std::int64_t n, const float* x, float* y) noexcept = nullptr;  // y = gelu_tanh(x)
  // y = gelu_tanh(gate) up
  void (*gated_gelu)(std::int64_t n, const float* gate, const float* up, float* y) noexcept = nullptr;
  void (*soft_cap)(std::int64_t n, float cap, float* x) noexcept = nullptr;  // x = cap tanh(x / cap)
  // x = exp(s - max(s)) for s = cap tanh(factor x / cap), or factor x when cap is 0. Returns the sum. n > 0,
  // factor >= 0.
  float (*softmax)(std::int64_t n, float factor, float cap, float* x) noexcept = nullptr;
  void (*layer_norm)(std::int64_t n, const float* x, const float* weight, const float* bias, float eps,
                     float* y) noexcept = nullptr;
  void (*rms_norm)(std::int64_t n, const float* x, const float* weight, float eps, float* y) noexcept = nullptr;
  // (x[i], x[half + i]) turned by the angle of (cosine[i], sine[i]).
  void (*rotate)(std::int64_t half, const float* cosine, const float* sine, float* x) noexcept = nullptr;

  // Gradients: generic/gradients.h. They add to what they write, but where a comment there says otherwise.
  void (*add_scaled)(std::int64_t n, float factor, const float* a, float* x) noexcept = nullptr;      // x += factor a
  void (*multiply_add)(std::int64_t n, const float* a, const float* b, float* x) noexcept = nullptr;  // x += a b
  void (*gelu_gradient)(std::int64_t n, const float* x, const float* dy, float* dx) noexcept = nullptr;
  void (*gated_gelu_gradient)(std::int64_t n, const float* gate, const float* up, const float* dy, float* dgate,
                              float* dup) noexcept = nullptr;
  void (*soft_cap_gradient)(std::int64_t n, float cap, const float* y, float* dx) noexcept = nullptr;
  void (*softmax_gradient)(std::int64_t n, const float* p, float* dx) noexcept = nullptr;
  void (*layer_norm_gradient)(std::int64_t n, const float* x, const float* weight, float eps, const float* dy,
                              float* dx, float* statistics) noexcept = nullptr;
  void (*rms_norm_gradient)(std::int64_t n, const float* x, const float* weight, float eps, const float* dy, float* dx,
                            float* statistics) noexcept = nullptr;
  void (*norm_weight_gradient)(std::int64_t n, const float* x, const float* statistics, const float* dy,
                               float* dweight) noexcept = nullptr;
  void (*rotate_back)(std::int64_t half, const float* cosine, const float* sine, float* dx) noexcept = nullptr;
  float (*cross_entropy)(std::int64_t n, std::int64_t target, float smoothing, float weight,
                         float* x) noexcept = nullptr;
  // bf16(x) of two rows in pairs, 16 of them together, [16][2], and the next `step` pairs further: 0 up to whole ones.
  void (*pair_bf16)(std::int64_t n, const float* even, const float* odd, std::uint16_t* pairs,
                    std::ptrdiff_t step) noexcept = nullptr;
  // 16 x 16 words of 32 bits turned over: to[c to_stride + r] = from[r from_stride + c].
  void (*turn_words)(const float* from, std::ptrdiff_t from_stride, float* to,
                     std::ptrdiff_t to_stride) noexcept = nullptr;
  // 16 rows of a bf16 panel times 16 elements of k, from `panel` on, as 16 rows of k times 16 elements: [8][16][2]
  // both.
  void (*turn_bf16)(const std::uint16_t* panel, std::uint16_t* turned) noexcept = nullptr;
  // 16 elements of k of 16 rows of a panel in blocks, all of one block with `scales`, rounded to bf16: [8][16][2]. [0]
  // of 8 bits, [1] of 4.
  void (*widen_blocks[2])(const std::byte* words, const std::uint16_t* scales, std::uint16_t* panel) noexcept = {};

  // In f32, bf16 and int8: generic/peak.h.
  double (*multiply_adds[3])(std::int64_t steps, float* sink) noexcept = {};
};

// Each fills in what its instruction set does better than what the table holds.
void use_portable(Kernels& kernels) noexcept;
void use_avx2(Kernels& kernels) noexcept;
void use_avx2_vnni(Kernels& kernels) noexcept;
void use_avx512(Kernels& kernels) noexcept;
void use_avx512_vnni(Kernels& kernels) noexcept;
void use_avx512_bf16(Kernels& kernels) noexcept;

}  // namespace paligemma
