// The vocabulary of the network: every function that the model is written in.
//
// An op takes its inputs as views and gives its output as a view into the pass's arena, or changes a view in place
// where its name says so. An op with weights gives each range of rows what the pass's adapter of that range makes of
// them (ops/adapter.h), and on a tape records its gradient (ops/tape.h). Shapes stand beside each parameter: R rows, D
// width, N query heads, K kv heads, H head size, F feed-forward width, V vocabulary. Ops trust the shapes of the
// weights: they were checked when the model was loaded.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "ops/pass.h"

namespace paligemma {

struct Linear {
  Weight weight;  // (out, in)
  Weight bias;    // (1, out), or absent
};

struct Norm {
  Weight weight;  // (1, D)
  Weight bias;    // (1, D), or absent
};

// Over square maps, each position's channels contiguous. What the step says is the only difference between them; with a
// kernel of k by k and torch's numbers
//
//     same   (side, side, in) -> (side, side, out)      padded to keep the size: (k - 1) / 2 before, k / 2 behind
//     half   (side, side, in) -> (side/2, side/2, out)  stride 2, padded as TensorFlow's SAME does at even sides:
//                                                       (k - 2) / 2 before, (k - 1) / 2 behind
//     twice  (side, side, in) -> (2 side, 2 side, out)  transposed, k = 4, stride 2, padding 1
struct Convolution {
  enum class Step : std::uint8_t { same, half, twice };

  std::int64_t in = 0, out = 0, kernel = 0;
  Step step = Step::same;
  Weight weight;  // (out, k k in); of twice (k k out, in)
  Weight bias;    // (1, out)
};

// The side of what maps of that side become.
std::int64_t side_after(Convolution::Step step, std::int64_t side);

// Of B maps: (B side side, in) -> (B side' side', out). The side is even where it is halved.
View convolve(Pass& pass, ConstView maps, std::int64_t side, const Convolution& convolution);

void relu_in_place(Pass& pass, View x);

// x W^T + b: (R, in) -> (R, out).
View linear(Pass& pass, ConstView x, const Linear& layer);
View linear(Pass& pass, ConstView x, const Weight& weight);

// Query, key and value projections of the same rows in one go: (R, D) -> (R, N H), (R, K H), (R, K H).
struct Qkv {
  View q, k, v;
};
Qkv qkv_linear(Pass& pass, ConstView x, const Linear& q, const Linear& k, const Linear& v);

// gelu_tanh(x G^T) * (x U^T): (R, D) -> (R, F). `block` names the taps of both factors.
View gated_gelu(Pass& pass, ConstView x, const Weight& gate, const Weight& up, BlockName block);

// gelu_tanh(x W^T + b): (R, in) -> (R, out). `name` is the tap of what GELU is taken of.
View linear_gelu(Pass& pass, ConstView x, const Linear& layer, BlockName block, std::string_view name);

View layer_norm(Pass& pass, ConstView x, const Norm& norm, float eps);
View rms_norm(Pass& pass, ConstView x, const Weight& weight, float eps);

// x += a.
void add_in_place(Pass& pass, ConstView a, View x);

// Adds the table (T, D) to each T rows of x (R, D).
void add_positions_in_place(Pass& pass, const Weight& table, View x);

// scale * table[id], rounded to a type: (R) -> (R, D).
View embed(Pass& pass, const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding);

void rope_in_place(Pass& pass, View x, std::int64_t heads, std::span<const Sequence> sequences, double theta);

// The rows of x from `row` on become those of `from`.
void put_rows(Pass& pass, ConstView from, View x, std::int64_t row);

// The last kept[i] rows of sequence i, packed: (R, D) -> (sum of kept, D).
View last_rows(Pass& pass, ConstView x, std::span<const Sequence> sequences, std::span<const std::int64_t> kept);

// Adds the rows' keys and values (R, K H) to the cache.
void write_kv(Pass& pass, View k, View v, KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences);
// Attends to what the cache has, the rows' own keys and values included: q (R, N H) -> (R, N H).
View attention(Pass& pass, ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
               const AttentionShape& shape);

void soft_cap_in_place(Pass& pass, View x, float cap);

// Of each row of x (R, D) the cross entropy of softmax(cap(x W^T)). The loss whose gradient a tape finds is the sum of
// the rows' losses times their weights.
void head_cross_entropy(Pass& pass, ConstView x, const Weight& head, float cap, const CrossEntropy& of,
                        std::span<float> losses);

// Calls body(pass), which changes x in place, and gives back all else that it took from the arena. On a tape what it
// took stays until its gradients are known; or only x as it was stays, and the body runs again then.
void run_block_on_tape(Pass& pass, View x, const std::function<void(Pass&)>& body);
template <class Body>
void run_block(Pass& pass, View x, const Body& body) {
  if (pass.tape) return run_block_on_tape(pass, x, body);
  const ArenaScope scope(pass.arena);
  body(pass);
}

}  // namespace paligemma
