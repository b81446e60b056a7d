// Which tensors compute for which rows, under the adapters of a pass.
#pragma once

#include <array>

#include "ops/pass.h"

namespace paligemma {

template <class T>
const T* find_change(const AdapterSet::ByTensor<T>& all, const Weight* tensor) {
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
      if (const Weight* other = find_change(range.adapter->*replaced, tensor)) tensor = other;
    change_at(range.row, own);
    change_at(range.row + range.rows, base);
  }
  if (rows > first) compute(first, rows - first, tensors);
}

}  // namespace paligemma
