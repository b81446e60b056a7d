#include "ops/ops.h"

namespace paligemma {
namespace {

LinearPart part(Pass& pass, ConstView x, const Linear& layer) {
  return {&layer.weight, layer.bias ? &layer.bias : nullptr, pass.arena.rows(x.rows, layer.weight.rows)};
}

}  // namespace

View linear(Pass& pass, ConstView x, const Linear& layer) {
  const LinearPart parts[] = {part(pass, x, layer)};
  pass.backend.linear(x, parts, pass.precision);
  return parts[0].out;
}

View linear(Pass& pass, ConstView x, const Weight& weight) {
  const LinearPart parts[] = {{&weight, nullptr, pass.arena.rows(x.rows, weight.rows)}};
  pass.backend.linear(x, parts, pass.precision);
  return parts[0].out;
}

Qkv qkv_linear(Pass& pass, ConstView x, const Linear& q, const Linear& k, const Linear& v) {
  const LinearPart parts[] = {part(pass, x, q), part(pass, x, k), part(pass, x, v)};
  pass.backend.linear(x, parts, pass.precision);
  return {parts[0].out, parts[1].out, parts[2].out};
}

View gated_gelu(Pass& pass, ConstView x, const Weight& gate, const Weight& up, BlockName block) {
  if (pass.tap) {
    const ArenaScope scope(pass.arena);
    pass.see(block, "mlp.gate_proj", linear(pass, x, gate));
    pass.see(block, "mlp.up_proj", linear(pass, x, up));
  }
  const View y = pass.arena.rows(x.rows, gate.rows);
  pass.backend.gated_gelu(x, gate, up, y, pass.precision);
  return y;
}

void gelu_in_place(Pass& pass, View x) { pass.backend.gelu(x); }

View layer_norm(Pass& pass, ConstView x, const Norm& norm, float eps) {
  const View y = pass.arena.rows(x.rows, x.cols);
  pass.backend.layer_norm(x, norm.weight, norm.bias, eps, y);
  return y;
}

View rms_norm(Pass& pass, ConstView x, const Weight& weight, float eps) {
  const View y = pass.arena.rows(x.rows, x.cols);
  pass.backend.rms_norm(x, weight, eps, y);
  return y;
}

void add_in_place(Pass& pass, ConstView a, View x) { pass.backend.add(a, x); }

View embed(Pass& pass, const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding) {
  const View y = pass.arena.rows(static_cast<std::int64_t>(ids.size()), table.cols);
  pass.backend.embed(table, ids, scale, rounding, y);
  return y;
}

void rope_in_place(Pass& pass, View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  pass.backend.rope(x, heads, sequences, theta);
}

View attention(Pass& pass, const Qkv& qkv, KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
               const AttentionShape& shape) {
  const View y = pass.arena.rows(qkv.q.rows, qkv.q.cols);
  pass.backend.kv_write(cache, layer, qkv.k, qkv.v, sequences);
  pass.backend.attention(qkv.q, cache, layer, sequences, shape, y, pass.precision);
  return y;
}

void soft_cap_in_place(Pass& pass, View x, float cap) { pass.backend.soft_cap(x, cap); }

}  // namespace paligemma
