// Convolutions as products: of patches with the weights, or, where the size doubles, of positions with weights that
// make patches; and backward. Some maps at a time, so that their patches stay in cache.
#include <algorithm>

#include "ops/ops.h"
#include "ops/tape.h"

namespace paligemma {
namespace {

using ConvolutionStep = Convolution::Step;

constexpr std::int64_t kPatchFloats = 1 << 17;  // of some maps: 512 KiB

// Where the kernel lies on the larger of both maps, and how many maps go together.
struct Patches {
  PatchShape shape;
  std::int64_t width = 0;         // floats of a patch
  std::int64_t from = 0, to = 0;  // positions of a map before and after
  std::int64_t at_once = 0;
  bool alone = false;  // a patch is a position

  Patches(const Convolution& of, std::int64_t side) {
    const bool twice = of.step == ConvolutionStep::twice;
    const std::int64_t after = side_after(of.step, side), small = twice ? side : after;
    const std::int64_t stride = of.step == ConvolutionStep::same ? 1 : 2;
    shape = {.side = twice ? after : side,
             .kernel = of.kernel,
             .stride = stride,
             .before = std::max<std::int64_t>(of.kernel - stride, 0) / 2,
             .out = small};
    width = of.kernel * of.kernel * (twice ? of.out : of.in);
    from = side * side;
    to = after * after;
    at_once = std::max<std::int64_t>(1, kPatchFloats / (small * small * width));
    alone = of.kernel == 1 && of.step == ConvolutionStep::same;
  }

  // Calls body(x, y) with the rows of some maps, before and after.
  template <class Y, class Body>
  void for_maps(ConstView x, Y y, const Body& body) const {
    const std::int64_t maps = x.rows / from;
    for (std::int64_t map = 0; map < maps; map += at_once) {
      const std::int64_t count = std::min(at_once, maps - map);
      body(x.row_range(map * from, count * from), y.row_range(map * to, count * to));
    }
  }
};

// y = the convolution of x.
void convolve_maps(Pass& pass, const Patches& patches, const Convolution& of, ConstView x, View y) {
  const ArenaScope scope(pass.arena);
  if (of.step == ConvolutionStep::twice) {
    const View p = pass.arena.rows(x.rows, patches.width);
    const LinearPart part{&of.weight, nullptr, p};
    pass.backend.linear(x, {&part, 1}, pass.precision);
    pass.backend.repeat(of.bias, y);
    return pass.backend.add_patches(p, patches.shape, y);
  }
  ConstView p = x;
  if (!patches.alone) {
    const View taken = pass.arena.rows(y.rows, patches.width);
    pass.backend.take_patches(x, patches.shape, taken);
    p = taken;
  }
  const LinearPart part{&of.weight, &of.bias, y};
  pass.backend.linear(p, {&part, 1}, pass.precision);
}

// What the gradients of some maps are found with.
struct ConvolutionGradient {
  Backend& backend;
  Arena& arena;
  Precision precision;
  const Patches& patches;
  const Convolution& of;
  View dweight;  // without rows: not wanted

  // `dx` may be without rows.
  void add(ConstView x, ConstView dy, View dx) const {
    const ArenaScope scope(arena);
    if (of.step == ConvolutionStep::twice) {
      const View dp = arena.rows(x.rows, patches.width);
      backend.take_patches(dy, patches.shape, dp);
      return multiply(dp, x, dx);
    }
    if (patches.alone) return multiply(dy, x, dx);
    const View p = arena.rows(dy.rows, patches.width);
    if (dweight.rows > 0) {
      backend.take_patches(x, patches.shape, p);
      backend.linear_weight_gradient(dy, p, dweight, precision);
    }
    if (dx.rows == 0) return;
    backend.linear_input_gradient(dy, of.weight, p, precision, false);
    backend.add_patches(p, patches.shape, dx);
  }

  void multiply(ConstView dy, ConstView x, View dx) const {
    if (dweight.rows > 0) backend.linear_weight_gradient(dy, x, dweight, precision);
    if (dx.rows > 0) backend.linear_input_gradient(dy, of.weight, dx, precision, true);
  }
};

}  // namespace

std::int64_t side_after(ConvolutionStep step, std::int64_t side) {
  switch (step) {
    case ConvolutionStep::half: return side / 2;
    case ConvolutionStep::twice: return side * 2;
    default: return side;
  }
}

View convolve(Pass& pass, ConstView maps, std::int64_t side, const Convolution& convolution) {
  const Patches patches(convolution, side);
  const View y = pass.arena.rows(maps.rows / patches.from * patches.to, convolution.out);
  patches.for_maps(maps, y, [&](ConstView x, View part) { convolve_maps(pass, patches, convolution, x, part); });
  Tape* tape = pass.tape;
  if (!tape || !(tape->wants(maps) || tape->trains(&convolution.weight) || tape->trains(&convolution.bias))) return y;
  tape->want(y);
  tape->record(
      [&backend = pass.backend, &arena = pass.arena, precision = pass.precision, tape, patches, maps, y, &convolution] {
        const View dy = tape->gradient(y);
        const View dx = tape->wants(maps) ? tape->gradient(maps) : View{};
        if (const View dbias = tape->tensor_gradient(&convolution.bias); dbias.rows > 0)
          backend.bias_gradient(dy, dbias);
        const ConvolutionGradient gradient{backend, arena,       precision,
                                           patches, convolution, tape->tensor_gradient(&convolution.weight)};
        patches.for_maps(maps, dy, [&](ConstView x, View part) {
          const std::int64_t row = (x.data - maps.data) / maps.stride;
          gradient.add(x, part, dx.rows > 0 ? dx.row_range(row, x.rows) : View{});
        });
      });
  return y;
}

void relu_in_place(Pass& pass, View x) {
  pass.backend.relu(x);
  Tape* tape = pass.tape;
  if (!tape || !tape->wants(x)) return;
  tape->record([&backend = pass.backend, tape, x] { backend.relu_gradient(x, tape->gradient(x)); });
}

}  // namespace paligemma
