// Products with weights: forward, what adapters add to them, and backward.
#include <algorithm>

#include "ops/ops.h"
#include "ops/tape.h"
#include "ops/tensors.h"

namespace paligemma {
namespace {

LinearPart part(Pass& pass, ConstView x, const Linear& layer) {
  return {&layer.weight, layer.bias ? &layer.bias : nullptr, pass.arena.rows(x.rows, layer.weight.rows)};
}

bool trains(const Pass& pass, const Weight* tensor) { return pass.tape && tensor && pass.tape->trains(tensor); }
bool trains(const Pass& pass, const LowRank& change) {
  for (const Weight* tensor : {&change.a, &change.b, &change.b_bias, &change.scale})
    if (trains(pass, tensor)) return true;
  return false;
}

// Gradients of y = x W^T (+ bias), which are some rows of `whole`.
void record_product(Pass& pass, ConstView x, const LinearPart& part, ConstView whole) {
  Tape* tape = pass.tape;
  if (!tape || !(tape->wants(x) || trains(pass, part.weight) || trains(pass, part.bias))) return;
  tape->want(whole);
  tape->record([&backend = pass.backend, precision = pass.precision, tape, x, part] {
    const View dy = tape->gradient(part.out);
    if (const View dweight = tape->tensor_gradient(part.weight); dweight.rows > 0)
      backend.linear_weight_gradient(dy, x, dweight, precision);
    if (const View dbias = tape->tensor_gradient(part.bias); dbias.rows > 0) backend.bias_gradient(dy, dbias);
    if (!tape->wants(x)) return;
    const Tape::Place dx = tape->place_of_gradient(x);
    backend.linear_input_gradient(dy, *part.weight, dx.at, precision, !dx.fresh);
  });
}

// What the back end computes with of a change, and what its backward needs.
struct LowRankRun {
  ConstView x;         // as it went into A: of a trained change under dropout, a copy with holes
  View down, y;        // x A^T, and the layer's result
  ConstView unscaled;  // y before DoRA's scale; without rows when nobody asks
  std::uint64_t seed = 0;
  bool dropped = false;
};

void record_low_rank(Pass& pass, ConstView x, const LowRank& change, const LowRankRun& run) {
  Tape* tape = pass.tape;
  tape->record([&backend = pass.backend, &arena = pass.arena, tape, x, &change, run] {
    const View dy = tape->gradient(run.y), dx = tape->wants(x) ? tape->gradient(x) : View{};
    if (change.scale) {
      if (const View doffset = tape->tensor_gradient(&change.offset); doffset.rows > 0)
        backend.bias_gradient(dy, doffset);
      if (const View dscale = tape->tensor_gradient(&change.scale); dscale.rows > 0)
        backend.column_products(dy, run.unscaled, dscale);
      backend.scale_columns(change.scale, dy);
    }
    if (const View dbias = tape->tensor_gradient(&change.b_bias); dbias.rows > 0) backend.bias_gradient(dy, dbias);
    if (const View db = tape->tensor_gradient(&change.b); db.rows > 0)
      backend.linear_weight_gradient(dy, run.down, db, Precision::f32);
    const ArenaScope scope(arena);
    const View ddown = arena.rows(run.down.rows, run.down.cols);
    backend.linear_input_gradient(dy, change.b, ddown, Precision::f32, false);
    if (const View da = tape->tensor_gradient(&change.a); da.rows > 0)
      backend.linear_weight_gradient(ddown, run.x, da, Precision::f32);
    if (dx.rows == 0) return;
    if (!run.dropped) return backend.linear_input_gradient(ddown, change.a, dx, Precision::f32, true);
    const View holed = arena.rows(x.rows, x.cols);
    backend.linear_input_gradient(ddown, change.a, holed, Precision::f32, false);
    backend.dropout(holed, tape->dropout.rate, run.seed);
    backend.add(holed, dx);
  });
}

// In f32 under every precision: r is small. y are some rows of `whole`.
void add_low_rank(Pass& pass, ConstView x, const LowRank& change, View y, ConstView whole) {
  const bool recorded = pass.tape && (pass.tape->wants(x) || pass.tape->wants(y) || trains(pass, change));
  const Arena::Mark mark = pass.arena.mark();
  LowRankRun run{.x = x, .y = y};
  if (trains(pass, &change.a) && pass.tape->dropout.rate > 0) {
    run.seed = pass.tape->dropout_seed(change.a);
    run.dropped = true;
    const View holes = pass.arena.rows(x.rows, x.cols);
    pass.backend.copy(x, holes);
    pass.backend.dropout(holes, pass.tape->dropout.rate, run.seed);
    run.x = holes;
  }
  run.down = pass.arena.rows(x.rows, change.a.rows);
  const LinearPart down{&change.a, nullptr, run.down};
  pass.backend.linear(run.x, {&down, 1}, Precision::f32);
  const LinearPart up{&change.b, change.b_bias ? &change.b_bias : nullptr, y, true};
  pass.backend.linear(run.down, {&up, 1}, Precision::f32);
  if (trains(pass, &change.scale)) {
    const View unscaled = pass.arena.rows(y.rows, y.cols);
    pass.backend.copy(y, unscaled);
    run.unscaled = unscaled;
  }
  if (change.scale) pass.backend.affine(change.scale, change.offset, y);
  if (recorded) {
    pass.tape->want(whole);
    record_low_rank(pass, x, change, run);
  } else {
    pass.arena.restore(mark);
  }
}

template <std::size_t N>
void multiply(Pass& pass, ConstView x, const std::array<LinearPart, N>& parts) {
  std::array<const Weight*, 2 * N> tensors;
  for (std::size_t i = 0; i < N; ++i) tensors[2 * i] = parts[i].weight, tensors[2 * i + 1] = parts[i].bias;
  for_tensors(pass, x.rows, tensors, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 2 * N>& chosen) {
                std::array<LinearPart, N> range;
                for (std::size_t i = 0; i < N; ++i)
                  range[i] = {chosen[2 * i], chosen[2 * i + 1], parts[i].out.row_range(first, count), false,
                              parts[i].gelu};
                pass.backend.linear(x.row_range(first, count), range, pass.precision);
                for (std::size_t i = 0; i < N; ++i)
                  record_product(pass, x.row_range(first, count), range[i], parts[i].out);
              });
  for (const AdapterRows& range : pass.adapters)
    for (const LinearPart& part : parts)
      if (const LowRank* change = find_change(range.adapter->products, part.weight))
        add_low_rank(pass, x.row_range(range.row, range.rows), *change, part.out.row_range(range.row, range.rows),
                     part.out);
}

// Whether an activation of the product must wait until the product is there as such.
bool apart(const Pass& pass, ConstView x, std::initializer_list<const Weight*> tensors) {
  if (pass.tap || (pass.tape && pass.tape->wants(x))) return true;
  for (const Weight* tensor : tensors) {
    if (trains(pass, tensor)) return true;
    for (const AdapterRows& range : pass.adapters) {
      const Weight* other = find_change(range.adapter->replaced, tensor);
      if (range.adapter->products.contains(tensor) || trains(pass, other)) return true;
    }
  }
  return false;
}

bool is_replaced(const Pass& pass, const Weight& tensor) {
  return std::ranges::any_of(pass.adapters,
                             [&](const AdapterRows& range) { return range.adapter->replaced.contains(&tensor); });
}

}  // namespace

View linear(Pass& pass, ConstView x, const Linear& layer) {
  const std::array parts{part(pass, x, layer)};
  multiply(pass, x, parts);
  return parts[0].out;
}

View linear(Pass& pass, ConstView x, const Weight& weight) {
  const std::array parts{LinearPart{&weight, nullptr, pass.arena.rows(x.rows, weight.rows)}};
  multiply(pass, x, parts);
  return parts[0].out;
}

Qkv qkv_linear(Pass& pass, ConstView x, const Linear& q, const Linear& k, const Linear& v) {
  const std::array parts{part(pass, x, q), part(pass, x, k), part(pass, x, v)};
  multiply(pass, x, parts);
  return {parts[0].out, parts[1].out, parts[2].out};
}

View gated_gelu(Pass& pass, ConstView x, const Weight& gate, const Weight& up, BlockName block) {
  if (!apart(pass, x, {&gate, &up}) && !is_replaced(pass, gate) && !is_replaced(pass, up)) {
    const View y = pass.arena.rows(x.rows, gate.rows);
    pass.backend.gated_gelu(x, gate, up, y, pass.precision);
    return y;
  }
  const View y = pass.arena.rows(x.rows, gate.rows);
  const Arena::Mark mark = pass.arena.mark();
  const View g = linear(pass, x, gate), u = linear(pass, x, up);
  pass.see(block, "mlp.gate_proj", g);
  pass.see(block, "mlp.up_proj", u);
  pass.backend.gated_gelu(g, u, y);
  Tape* tape = pass.tape;
  if (tape && (tape->wants(g) || tape->wants(u))) {
    tape->want(y), tape->want(g), tape->want(u);
    tape->record([&backend = pass.backend, tape, g, u, y] {
      backend.gated_gelu_gradient(g, u, tape->gradient(y), tape->new_gradient(g), tape->new_gradient(u));
    });
  } else {
    pass.arena.restore(mark);
  }
  return y;
}

View linear_gelu(Pass& pass, ConstView x, const Linear& layer, BlockName block, std::string_view name) {
  if (!apart(pass, x, {&layer.weight, &layer.bias})) {
    std::array parts{part(pass, x, layer)};
    parts[0].gelu = true;
    multiply(pass, x, parts);
    return parts[0].out;
  }
  const View y = pass.arena.rows(x.rows, layer.weight.rows);
  const Arena::Mark mark = pass.arena.mark();
  const View h = linear(pass, x, layer);
  pass.see(block, name, h);
  pass.backend.gelu(h, y);
  Tape* tape = pass.tape;
  if (tape && tape->wants(h)) {
    tape->want(y);
    tape->record(
        [&backend = pass.backend, tape, h, y] { backend.gelu_gradient(h, tape->gradient(y), tape->new_gradient(h)); });
  } else {
    pass.arena.restore(mark);
  }
  return y;
}

}  // namespace paligemma
