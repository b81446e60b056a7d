// The head and its cross entropy, some rows at a time: logits of all rows are never there at once. On a tape the
// gradient of x is found along the way.
#include <algorithm>

#include "ops/ops.h"
#include "ops/tape.h"

namespace paligemma {

constexpr std::int64_t kLossRows = 64;  // with 257,152 logits each 66 MB, and as much for their gradient

void head_cross_entropy(Pass& pass, ConstView x, const Weight& head, float cap, const CrossEntropy& of,
                        std::span<float> losses) {
  Tape* tape = pass.tape;
  if (tape && tape->wants(x)) tape->gradient(x);
  const auto compute = [&](std::int64_t first) {
    const std::int64_t rows = std::min(kLossRows, x.rows - first);
    const auto part = [&](auto all) { return all.subspan(std::size_t(first), std::size_t(rows)); };
    const View y = linear(pass, x.row_range(first, rows), head);
    if (cap > 0) soft_cap_in_place(pass, y, cap);
    const bool wanted = tape && tape->wants(y);
    const View dy = wanted ? tape->gradient(y) : y;
    if (wanted) pass.backend.copy(y, dy);
    pass.backend.cross_entropy(dy, {part(of.targets), part(of.weights), of.smoothing, of.soft}, part(losses));
  };
  for (std::int64_t first = 0; first < x.rows; first += kLossRows) {
    if (tape) {
      tape->run_and_return([&] { compute(first); });
    } else {
      const ArenaScope scope(pass.arena);
      compute(first);
    }
  }
}

}  // namespace paligemma
