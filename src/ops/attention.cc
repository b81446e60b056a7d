// Rope, the cache of keys and values, attention; and backward.
#include "ops/ops.h"
#include "ops/tape.h"

namespace paligemma {

void rope_in_place(Pass& pass, View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  pass.backend.rope(x, heads, sequences, theta);
  Tape* tape = pass.tape;
  if (!tape || !tape->wants(x)) return;
  tape->record([&backend = pass.backend, tape, x, heads, theta, own = std::vector(sequences.begin(), sequences.end())] {
    backend.rope_gradient(tape->gradient(x), heads, own, theta);
  });
}

void write_kv(Pass& pass, View k, View v, KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences) {
  pass.backend.kv_write(cache, layer, k, v, sequences);
  if (pass.tape) pass.tape->write_keys(cache, layer, {k, v, {sequences.begin(), sequences.end()}});
}

View attention(Pass& pass, ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
               const AttentionShape& shape) {
  const View y = pass.arena.rows(q.rows, q.cols);
  pass.backend.attention(q, cache, layer, sequences, shape, y, pass.precision);
  Tape* tape = pass.tape;
  const Tape::Keys* keys = tape ? tape->keys(cache, layer) : nullptr;
  if (!keys || !(tape->wants(q) || tape->wants(keys->k) || tape->wants(keys->v))) return y;
  for (const ConstView value : {q, ConstView(keys->k), ConstView(keys->v), ConstView(y)}) tape->want(value);
  tape->record([&backend = pass.backend, precision = pass.precision, tape, q, &cache, layer, shape, y, from = *keys,
                own = std::vector(sequences.begin(), sequences.end())] {
    backend.attention_gradient(q, cache, layer, own, from.sequences, shape, tape->gradient(y), tape->gradient(q),
                               tape->gradient(from.k), tape->gradient(from.v), precision);
  });
  return y;
}

}  // namespace paligemma
