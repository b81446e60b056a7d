// The outer waist: what a device can do, as whole-tensor functions.
//
// All activations are f32 packed rows in the device's memory. `Precision` says what the operands of products are
// rounded to; accumulation, norms, softmax and the residual stream are f32 under all.
//
// Batch invariance is part of the contract: the sequence of roundings that makes an element of an output depends on
// the function, the inner size K and the dtypes only, never on how many rows, sequences, threads or cache blocks there
// are. So a decode step gives the bits that a prefill of the same text gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace paligemma {

// int8 is about products with weights in blocks: activations are integers of 8 bits with a scale for each block, under
// the others of 16 bits. Everything else is as under bf16.
enum class Precision : std::uint8_t { f32, bf16, int8 };

constexpr std::string_view name(Precision precision) {
  return precision == Precision::f32 ? "f32" : precision == Precision::bf16 ? "bf16" : "int8";
}

// Owner of device memory. Move-only; frees through the deleter it was made with.
using Buffer = std::unique_ptr<std::byte[], void (*)(std::byte*)>;

// A stored tensor in the form the device wants. A `matrix` (N, K) is the right operand of linear: y = x * W^T; its
// layout is the back end's own. A `vector` is (1, N) or (P, D) plain row-major f32.
struct Weight {
  enum class Form : std::uint8_t { absent, vector, matrix };
  Form form = Form::absent;
  DType dtype = DType::f32;
  std::int64_t rows = 0;  // N: outputs
  std::int64_t cols = 0;  // K: inputs
  std::size_t bytes = 0;  // of storage
  Buffer storage{nullptr, [](std::byte*) {}};

  explicit operator bool() const { return form != Form::absent; }
  // Of a vector.
  ConstView view() const { return {reinterpret_cast<const float*>(storage.get()), rows, cols}; }
};

// One range of packed rows that belongs to one sequence. Row `row + i` is position `position + i`.
struct Sequence {
  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t position = 0;
  // A row at position p sees the keys at positions [first_visible, max(p + 1, prefix)): the prefix-LM mask.
  std::int64_t prefix = 0;
  // Position p is stored in block blocks[p / kKvBlockTokens] of the cache. Covers at least position + rows.
  std::span<const std::int32_t> blocks{};

  std::int64_t visible(std::int64_t p) const { return p + 1 > prefix ? p + 1 : prefix; }
  // 0 but for rows behind the prefix of a layer with a window. Never falls from a row to the next.
  std::int64_t first_visible(std::int64_t p, std::int64_t window) const {
    return window == 0 || p < prefix || p < window ? 0 : p + 1 - window;
  }
};

// Targets that share what they count with others that are nearly right: places that lie close.
struct SoftTargets {
  struct Shares {
    std::int32_t first = 0;       // shares[i] is that of target first + i
    std::vector<float> shares{};  // their sum is 1
  };
  std::int32_t begin = 0;
  std::vector<Shares> of{};  // of target begin + i

  const Shares* find(std::int32_t target) const {
    const std::int64_t at = std::int64_t{target} - begin;
    return at >= 0 && at < std::ssize(of) ? &of[std::size_t(at)] : nullptr;
  }
};

// The cross entropy of rows of logits (R, V) with 1 - smoothing on the target, or shared as `soft` says, and smoothing
// / (V - 1) on every other.
struct CrossEntropy {
  std::span<const std::int32_t> targets{};  // (R), below V
  std::span<const float> weights{};         // (R)
  float smoothing = 0;
  const SoftTargets* soft = nullptr;
};

constexpr std::int64_t kKvBlockTokens = 64;

// A pool of cache blocks. A block holds keys and values of kKvBlockTokens positions of one sequence in all layers. The
// layout inside is the back end's own.
struct KvCache {
  std::int64_t layers = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
  std::int64_t blocks = 0;
  DType dtype = DType::f32;
  std::size_t bytes = 0;
  Buffer storage{nullptr, [](std::byte*) {}};
};

// y = x W^T + bias, into `out`, or added to what is there. With `gelu` it is gelu_tanh of that: the bits of linear and
// then gelu.
struct LinearPart {
  const Weight* weight = nullptr;  // matrix (N, K)
  const Weight* bias = nullptr;    // vector (1, N), or null
  View out;                        // (R, N)
  bool accumulate = false;
  bool gelu = false;
};

struct AttentionShape {
  std::int64_t heads = 0;      // N; query head n reads kv head n / (N / K)
  std::int64_t kv_heads = 0;   // K
  std::int64_t head_size = 0;  // H
  float scale = 1;             // on q k^T
  float soft_cap = 0;          // s -> cap tanh(s / cap) before the mask; 0: none
  std::int64_t window = 0;     // rows behind the prefix see the last so many keys, themselves included; 0: all
};

// Where a convolution's kernel lies on square maps: at `out` by `out` positions of each, `stride` apart, from `before`
// rows and columns in front of the first.
struct PatchShape {
  std::int64_t side = 0;  // of a map
  std::int64_t kernel = 0, stride = 1, before = 0;
  std::int64_t out = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // For display: "cpu avx2".
  virtual std::string_view name() const = 0;

  // 64-byte aligned, zeroed. Throws Error{resource, "out_of_memory"}.
  virtual Buffer allocate(std::size_t bytes) = 0;

  // Placing weights, in pieces so that source and result are never both whole in memory. f16 sources are stored as f32
  // or rounded to bf16. `first_row` counts along N and is a multiple of kPlaceRows; so is the number of rows given,
  // but for the last piece. `rows` holds (count, K) elements.
  static constexpr std::int64_t kPlaceRows = 64;
  virtual Weight make_matrix(std::int64_t rows, std::int64_t cols, DType dtype) = 0;
  virtual void place_rows(Weight& matrix, std::int64_t first_row, const HostTensor& rows) = 0;
  virtual Weight make_vector(const HostTensor& values, std::int64_t rows, std::int64_t cols) = 0;
  virtual std::size_t matrix_bytes(std::int64_t rows, std::int64_t cols, DType dtype) const = 0;

  // One call for projections of the same input (q, k and v).
  virtual void linear(ConstView x, std::span<const LinearPart> parts, Precision precision) = 0;
  // y = gelu_tanh(x G^T) * (x U^T), elementwise product of (R, F).
  virtual void gated_gelu(ConstView x, const Weight& gate, const Weight& up, View y, Precision precision) = 0;
  // y = gelu_tanh(x). y may be x.
  virtual void gelu(ConstView x, View y) = 0;
  // y = gelu_tanh(gate) * up: with the two factors that linear gives the bits of the gated_gelu above. y may be either.
  virtual void gated_gelu(ConstView gate, ConstView up, View y) = 0;
  // x = x * scale + offset, column by column, in place.
  virtual void affine(const Weight& scale, const Weight& offset, View x) = 0;
  // y = (x - mean) / sqrt(variance + eps) * weight + bias, two-pass statistics. y may be x.
  virtual void layer_norm(ConstView x, const Weight& weight, const Weight& bias, float eps, View y) = 0;
  // y = x / sqrt(mean(x^2) + eps) * (1 + weight). y may be x.
  virtual void rms_norm(ConstView x, const Weight& weight, float eps, View y) = 0;
  // y = x.
  virtual void copy(ConstView x, View y) = 0;
  // x = 0.
  virtual void zero(View x) = 0;
  // x += a.
  virtual void add(ConstView a, View x) = 0;
  // Rotates each head of each row by its position, the two halves of a head as pairs ("NeoX" order):
  // angle_i = position * theta^(-2 i / H), i < H / 2. Angles in double, sine and cosine rounded to f32.
  virtual void rope(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) = 0;
  // y[r] = scale * table[ids[r]], rounded to a type; the row is read out of the table's matrix form.
  virtual void embed(const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding, View y) = 0;
  // x = cap * tanh(x / cap), in place.
  virtual void soft_cap(View x, float cap) = 0;
  // x = max(x, 0), in place.
  virtual void relu(View x) = 0;
  // y[r] = vector, for all rows.
  virtual void repeat(const Weight& vector, View y) = 0;
  // What the kernel sees at each position, zero beyond the edges: maps (B side side, C) -> (B out out, kernel kernel
  // C).
  virtual void take_patches(ConstView maps, const PatchShape& shape, View patches) = 0;
  // The transpose: maps += each patch where it would have been taken, in the order of positions.
  virtual void add_patches(ConstView patches, const PatchShape& shape, View maps) = 0;

  virtual KvCache make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size, std::int64_t blocks,
                                DType dtype) = 0;
  // Stores k and v (R, K * H) of all rows of `sequences` at their positions.
  virtual void kv_write(KvCache& cache, std::int64_t layer, ConstView k, ConstView v,
                        std::span<const Sequence> sequences) = 0;
  // The keys and values of block `to` become those of block `from`, in all layers.
  virtual void kv_copy(KvCache& cache, std::int32_t from, std::int32_t to) = 0;
  // y = softmax(mask(cap(scale * q k^T))) v, for q and y (R, N * H). Keys and values come from the cache, those of the
  // rows themselves included: kv_write goes first.
  virtual void attention(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                         const AttentionShape& shape, View y, Precision precision) = 0;

  // Gradients of the functions above. `dy` is that of an output; all but the marked ones add to what they write. A sum
  // over rows runs in their order, whatever the threads, so that two calls give the bits of one with the rows of both.

  // dx += dy W, or = without `accumulate`, for W of any type; under bf16 and int8 both are rounded to bf16.
  virtual void linear_input_gradient(ConstView dy, const Weight& weight, View dx, Precision precision,
                                     bool accumulate) = 0;
  // dW += dy^T x: (R, N), (R, K) -> (N, K).
  virtual void linear_weight_gradient(ConstView dy, ConstView x, View dweight, Precision precision) = 0;
  // db += sum of the rows of dy: (R, N) -> (1, N).
  virtual void bias_gradient(ConstView dy, View dbias) = 0;
  // dx += factor dy.
  virtual void add_scaled(ConstView dy, float factor, View dx) = 0;
  // (1, N) += sum over rows of a b.
  virtual void column_products(ConstView a, ConstView b, View sums) = 0;
  // dx = dx * scale, column by column, in place.
  virtual void scale_columns(const Weight& scale, View dx) = 0;
  // dx = the gradient; x is what GELU was taken of.
  virtual void gelu_gradient(ConstView x, ConstView dy, View dx) = 0;
  // dgate, dup = the gradients; gate and up are the two factors.
  virtual void gated_gelu_gradient(ConstView gate, ConstView up, ConstView dy, View dgate, View dup) = 0;
  // In place: an element becomes 0 with probability `rate`, else it is divided by 1 - rate. Which ones depends on the
  // seed and on the element's row and column alone.
  virtual void dropout(View x, float rate, std::uint64_t seed) = 0;
  // In place: y is the capped value.
  virtual void soft_cap_gradient(ConstView y, float cap, View dx) = 0;
  // In place: y is max(x, 0).
  virtual void relu_gradient(ConstView y, View dx) = 0;
  // dweight and dbias (1, D) may be without rows: they are not wanted.
  virtual void layer_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight,
                                   View dbias) = 0;
  virtual void rms_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight) = 0;
  // In place: dx turned back.
  virtual void rope_gradient(View dx, std::int64_t heads, std::span<const Sequence> sequences, double theta) = 0;
  // dtable[ids[r]] += scale * dy[r].
  virtual void embed_gradient(std::span<const std::int32_t> ids, float scale, ConstView dy, View dtable) = 0;
  // Keys and values are those of the cache; `keys`, sequence by sequence as in `sequences`, says which rows of dk and
  // dv wrote them. One that begins behind position 0 goes on in the blocks of another, which wrote what lies before:
  // that is known by its first block.
  virtual void attention_gradient(ConstView q, const KvCache& cache, std::int64_t layer,
                                  std::span<const Sequence> sequences, std::span<const Sequence> keys,
                                  const AttentionShape& shape, ConstView dy, View dq, View dk, View dv,
                                  Precision precision) = 0;
  // Each row of logits (R, V) becomes the gradient of its cross entropy times its weight.
  virtual void cross_entropy(View logits, const CrossEntropy& of, std::span<float> losses) = 0;
};

// How a CPU's threads share the heads of an attention's gradient: what that takes is planned before a run.
struct HeadGradients {
  static constexpr std::int64_t kTaskLanes = 64;  // rows times query heads that a thread takes at a time

  // Whether each head is one thread's, in memory of its own: there are enough, and none takes much. Else all threads
  // work at one after the other.
  static constexpr bool apart(std::int64_t heads, std::int64_t threads, std::int64_t head_bytes) {
    return heads >= 4 * threads && head_bytes <= std::int64_t{16} << 20;
  }
};

struct CpuOptions {
  int threads = 0;            // 0: one for each core that the process may use
  std::string_view isa = {};  // portable, avx2, avx512 (and what the table of backend/cpu lists); empty:
                              // $PALIGEMMA_ISA, else the best that this processor has
};

// Throws Error{usage, "isa"} for a name that is unknown or that this processor cannot run.
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);

}  // namespace paligemma
