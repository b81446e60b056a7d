#include "ops/ops.h"

#include <algorithm>
#include <numeric>

namespace paligemma {
namespace {

template <class T>
const T* find(const AdapterSet::ByTensor<T>& all, const Weight* tensor) {
  const auto found = all.find(tensor);
  return found == all.end() ? nullptr : &found->second;
}

// Calls compute(first, count, tensors) for ranges that cover all rows: `tensors` is `base`, or what the adapter of the
// range has instead of it in `replaced`.
template <std::size_t N, class F>
void for_tensors(const Pass& pass, std::int64_t rows, const std::array<const Weight*, N>& base,
                 AdapterSet::ByTensor<Weight> AdapterSet::* replaced, const F& compute) {
  std::int64_t first = 0;
  std::array<const Weight*, N> tensors = base;
  const auto change_at = [&](std::int64_t row, const std::array<const Weight*, N>& next) {
    if (next == tensors) return;
    if (row > first) compute(first, row - first, tensors);
    first = row;
    tensors = next;
  };
  for (const AdapterRows& range : pass.adapters) {
    std::array<const Weight*, N> own = base;
    for (const Weight*& tensor : own)
      if (const Weight* other = find(range.adapter->*replaced, tensor)) tensor = other;
    change_at(range.row, own);
    change_at(range.row + range.rows, base);
  }
  if (rows > first) compute(first, rows - first, tensors);
}

// In f32 under every precision: r is small.
void add_low_rank(Pass& pass, ConstView x, const LowRank& change, View y) {
  const ArenaScope scope(pass.arena);
  const LinearPart down{&change.a, nullptr, pass.arena.rows(x.rows, change.a.rows)};
  pass.backend.linear(x, {&down, 1}, Precision::f32);
  const LinearPart up{&change.b, change.b_bias ? &change.b_bias : nullptr, y, true};
  pass.backend.linear(down.out, {&up, 1}, Precision::f32);
  if (change.scale) pass.backend.affine(change.scale, change.offset, y);
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
              });
  for (const AdapterRows& range : pass.adapters)
    for (const LinearPart& part : parts)
      if (const LowRank* change = find(range.adapter->products, part.weight))
        add_low_rank(pass, x.row_range(range.row, range.rows), *change, part.out.row_range(range.row, range.rows));
}

LinearPart part(Pass& pass, ConstView x, const Linear& layer) {
  return {&layer.weight, layer.bias ? &layer.bias : nullptr, pass.arena.rows(x.rows, layer.weight.rows)};
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
  if (pass.tap) {
    const ArenaScope scope(pass.arena);
    pass.see(block, "mlp.gate_proj", linear(pass, x, gate));
    pass.see(block, "mlp.up_proj", linear(pass, x, up));
  }
  const auto changes = [&](const AdapterRows& range) {
    const AdapterSet& adapter = *range.adapter;
    return adapter.products.contains(&gate) || adapter.products.contains(&up) || adapter.replaced.contains(&gate) ||
           adapter.replaced.contains(&up);
  };
  if (std::ranges::any_of(pass.adapters, changes)) {
    const View y = linear(pass, x, gate);
    const ArenaScope scope(pass.arena);
    pass.backend.gated_gelu(linear(pass, x, up), y);
    return y;
  }
  const View y = pass.arena.rows(x.rows, gate.rows);
  pass.backend.gated_gelu(x, gate, up, y, pass.precision);
  return y;
}

View linear_gelu(Pass& pass, ConstView x, const Linear& layer, BlockName block, std::string_view name) {
  std::array parts{part(pass, x, layer)};
  const auto changes = [&](const AdapterRows& range) { return range.adapter->products.contains(&layer.weight); };
  parts[0].gelu = !pass.tap && std::ranges::none_of(pass.adapters, changes);
  multiply(pass, x, parts);
  if (!parts[0].gelu) {
    pass.see(block, name, parts[0].out);
    pass.backend.gelu(parts[0].out);
  }
  return parts[0].out;
}

View layer_norm(Pass& pass, ConstView x, const Norm& norm, float eps) {
  const View y = pass.arena.rows(x.rows, x.cols);
  for_tensors(pass, x.rows, std::array{&norm.weight, &norm.bias}, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 2>& own) {
                pass.backend.layer_norm(x.row_range(first, count), *own[0], *own[1], eps, y.row_range(first, count));
              });
  return y;
}

View rms_norm(Pass& pass, ConstView x, const Weight& weight, float eps) {
  const View y = pass.arena.rows(x.rows, x.cols);
  for_tensors(pass, x.rows, std::array{&weight}, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 1>& own) {
                pass.backend.rms_norm(x.row_range(first, count), *own[0], eps, y.row_range(first, count));
              });
  return y;
}

void add_in_place(Pass& pass, ConstView a, View x) { pass.backend.add(a, x); }

void add_positions_in_place(Pass& pass, const Weight& table, View x) {
  for_tensors(pass, x.rows, std::array{&table}, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 1>& own) {
                for (std::int64_t row = first; row < first + count; row += table.rows)
                  pass.backend.add(own[0]->view(), x.row_range(row, table.rows));
              });
}

View embed(Pass& pass, const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding) {
  const View y = pass.arena.rows(static_cast<std::int64_t>(ids.size()), table.cols);
  const auto ids_of = [&](std::int64_t first, std::int64_t count) {
    return ids.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  };
  for_tensors(pass, y.rows, std::array{&table}, &AdapterSet::replaced_tables,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 1>& own) {
                pass.backend.embed(*own[0], ids_of(first, count), scale, rounding, y.row_range(first, count));
              });
  for (const AdapterRows& range : pass.adapters) {
    const LowRank* change = find(range.adapter->tables, &table);
    if (!change) continue;
    const ArenaScope scope(pass.arena);
    const View a = pass.arena.rows(range.rows, change->a.cols);
    pass.backend.embed(change->a, ids_of(range.row, range.rows), scale, DType::f32, a);
    const LinearPart up{&change->b, nullptr, y.row_range(range.row, range.rows), true};
    pass.backend.linear(a, {&up, 1}, Precision::f32);
  }
  return y;
}

void rope_in_place(Pass& pass, View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  pass.backend.rope(x, heads, sequences, theta);
}

View last_rows(Pass& pass, ConstView x, std::span<const Sequence> sequences, std::span<const std::int64_t> kept) {
  const View y = pass.arena.rows(std::accumulate(kept.begin(), kept.end(), std::int64_t{0}), x.cols);
  std::int64_t row = 0;
  for (std::size_t i = 0; i < kept.size(); row += kept[i++])
    pass.backend.copy(x.row_range(sequences[i].row + sequences[i].rows - kept[i], kept[i]), y.row_range(row, kept[i]));
  return y;
}

void write_kv(Pass& pass, ConstView k, ConstView v, KvCache& cache, std::int64_t layer,
              std::span<const Sequence> sequences) {
  pass.backend.kv_write(cache, layer, k, v, sequences);
}

View attention(Pass& pass, ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
               const AttentionShape& shape) {
  const View y = pass.arena.rows(q.rows, q.cols);
  pass.backend.attention(q, cache, layer, sequences, shape, y, pass.precision);
  return y;
}

void soft_cap_in_place(Pass& pass, View x, float cap) { pass.backend.soft_cap(x, cap); }

}  // namespace paligemma
