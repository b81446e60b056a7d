// Norms and their backward. x may be changed in place later, so a copy of it is kept.
#include "ops/ops.h"
#include "ops/tape.h"
#include "ops/tensors.h"

namespace paligemma {
namespace {

ConstView kept_copy(Pass& pass, ConstView x) {
  const View copy = pass.arena.rows(x.rows, x.cols);
  pass.backend.copy(x, copy);
  return copy;
}

// Calls backward(dy, dx): dx is scratch when the gradient of x is not wanted.
template <class F>
void with_gradients(Tape& tape, Arena& arena, ConstView x, ConstView y, const F& backward) {
  const View dy = tape.gradient(y), dx = tape.wants(x) ? tape.gradient(x) : View{};
  const ArenaScope scope(arena);
  backward(dy, dx.rows > 0 ? dx : arena.rows(x.rows, x.cols));
}

}  // namespace

View layer_norm(Pass& pass, ConstView x, const Norm& norm, float eps) {
  const View y = pass.arena.rows(x.rows, x.cols);
  for_tensors(pass, x.rows, std::array{&norm.weight, &norm.bias}, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 2>& own) {
                const ConstView from = x.row_range(first, count);
                const View to = y.row_range(first, count);
                pass.backend.layer_norm(from, *own[0], *own[1], eps, to);
                Tape* tape = pass.tape;
                if (!tape || !(tape->wants(from) || tape->trains(own[0]) || tape->trains(own[1]))) return;
                tape->want(y);
                tape->record([&backend = pass.backend, &arena = pass.arena, tape, from, kept = kept_copy(pass, from),
                              to, own, eps] {
                  with_gradients(*tape, arena, from, to, [&](ConstView dy, View dx) {
                    backend.layer_norm_gradient(kept, *own[0], eps, dy, dx, tape->tensor_gradient(own[0]),
                                                tape->tensor_gradient(own[1]));
                  });
                });
              });
  return y;
}

View rms_norm(Pass& pass, ConstView x, const Weight& weight, float eps) {
  const View y = pass.arena.rows(x.rows, x.cols);
  for_tensors(pass, x.rows, std::array{&weight}, &AdapterSet::replaced,
              [&](std::int64_t first, std::int64_t count, const std::array<const Weight*, 1>& own) {
                const ConstView from = x.row_range(first, count);
                const View to = y.row_range(first, count);
                pass.backend.rms_norm(from, *own[0], eps, to);
                Tape* tape = pass.tape;
                if (!tape || !(tape->wants(from) || tape->trains(own[0]))) return;
                tape->want(y);
                tape->record([&backend = pass.backend, &arena = pass.arena, tape, from, kept = kept_copy(pass, from),
                              to, own, eps] {
                  with_gradients(*tape, arena, from, to, [&](ConstView dy, View dx) {
                    backend.rms_norm_gradient(kept, *own[0], eps, dy, dx, tape->tensor_gradient(own[0]));
                  });
                });
              });
  return y;
}

}  // namespace paligemma
