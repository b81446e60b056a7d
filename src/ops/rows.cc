// What moves rows about or changes them one by one, and backward.
#include <numeric>

#include "ops/ops.h"
#include "ops/tape.h"
#include "ops/tensors.h"

namespace paligemma {

void add_in_place(Pass& pass, ConstView a, View x) {
  pass.backend.add(a, x);
  Tape* tape = pass.tape;
  if (!tape || !tape->wants(a)) return;
  tape->want(x);
  tape->record([&backend = pass.backend, tape, a, x] { backend.add(tape->gradient(x), tape->gradient(a)); });
}

void add_positions_in_place(Pass& pass, const Weight& table, View x) {
  for_tensors(pass, x.rows, std::array{&table}, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 1>& own) {
                const auto for_pictures = [rows = table.rows, first, count](auto&& body) {
                  for (std::int64_t row = first; row < first + count; row += rows) body(row, rows);
                };
                for_pictures([&](std::int64_t row, std::int64_t rows) {
                  pass.backend.add(own[0]->view(), x.row_range(row, rows));
                });
                Tape* tape = pass.tape;
                if (!tape || !tape->trains(own[0])) return;
                tape->want(x);
                tape->record([&backend = pass.backend, tape, x, for_pictures, tensor = own[0]] {
                  for_pictures([&](std::int64_t row, std::int64_t rows) {
                    backend.add(tape->gradient(x.row_range(row, rows)), tape->tensor_gradient(tensor));
                  });
                });
              });
}

View embed(Pass& pass, const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding) {
  const View y = pass.arena.rows(static_cast<std::int64_t>(ids.size()), table.cols);
  const auto ids_of = [&](std::int64_t first, std::int64_t count) {
    return ids.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  };
  const auto record_table = [&](std::int64_t first, std::int64_t count, const Weight* tensor) {
    Tape* tape = pass.tape;
    if (!tape || !tape->trains(tensor)) return;
    tape->want(y);
    const auto part = ids_of(first, count);
    tape->record([&backend = pass.backend, tape, tensor, scale, rows = y.row_range(first, count),
                  own = std::vector(part.begin(), part.end())] {
      backend.embed_gradient(own, scale, tape->gradient(rows), tape->tensor_gradient(tensor));
    });
  };
  for_tensors(pass, y.rows, std::array{&table}, &AdapterSet::replaced_tables,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 1>& own) {
                pass.backend.embed(*own[0], ids_of(first, count), scale, rounding, y.row_range(first, count));
                record_table(first, count, own[0]);
              });
  for (const AdapterRows& range : pass.adapters) {
    const LowRank* change = find_change(range.adapter->tables, &table);
    if (!change) continue;
    const ArenaScope scope(pass.arena);
    const View a = pass.arena.rows(range.rows, change->a.cols);
    pass.backend.embed(change->a, ids_of(range.row, range.rows), scale, DType::f32, a);
    const LinearPart up{&change->b, nullptr, y.row_range(range.row, range.rows), true};
    pass.backend.linear(a, {&up, 1}, Precision::f32);
  }
  return y;
}

void put_rows(Pass& pass, ConstView from, View x, std::int64_t row) {
  const View to = x.row_range(row, from.rows);
  pass.backend.copy(from, to);
  Tape* tape = pass.tape;
  if (!tape || !(tape->wants(from) || tape->wants(x))) return;
  tape->want(x);
  tape->record([&backend = pass.backend, tape, from, to] {
    const View dx = tape->gradient(to);
    if (tape->wants(from)) backend.add(dx, tape->gradient(from));
    backend.zero(dx);
  });
}

View last_rows(Pass& pass, ConstView x, std::span<const Sequence> sequences, std::span<const std::int64_t> kept) {
  const View y = pass.arena.rows(std::accumulate(kept.begin(), kept.end(), std::int64_t{0}), x.cols);
  Tape* tape = pass.tape && pass.tape->wants(x) ? pass.tape : nullptr;
  if (tape) tape->want(y);
  std::int64_t row = 0;
  for (std::size_t i = 0; i < kept.size(); row += kept[i++]) {
    const ConstView from = x.row_range(sequences[i].row + sequences[i].rows - kept[i], kept[i]);
    const View to = y.row_range(row, kept[i]);
    pass.backend.copy(from, to);
    if (tape)
      tape->record(
          [&backend = pass.backend, tape, from, to] { backend.add(tape->gradient(to), tape->gradient(from)); });
  }
  return y;
}

void soft_cap_in_place(Pass& pass, View x, float cap) {
  pass.backend.soft_cap(x, cap);
  Tape* tape = pass.tape;
  if (!tape || !tape->wants(x)) return;
  tape->record([&backend = pass.backend, tape, x, cap] { backend.soft_cap_gradient(x, cap, tape->gradient(x)); });
}

}  // namespace paligemma
