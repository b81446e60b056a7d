// Products in f32 with matrices that have few rows or few columns: those of low-rank adapters.
//
// The other operand is what takes time: it is read once, some rows or some columns in a task, through a copy in the
// first caches, since its rows would fall into the same sets of them. The chains of additions are those of every
// product.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"
#include "backend/cpu/turned_panel.h"

namespace paligemma {
namespace {

constexpr std::int64_t kNarrow = 64;       // columns at most
constexpr std::int64_t kStepK = 256;       // of a copy of rows
constexpr std::int64_t kStride = 272;      // an odd number of lines
constexpr std::int64_t kTaskColumns = 64;  // of a sum over rows
constexpr std::int64_t kSumRows = 576;     // of one copy: even, so that sums continue

void copy_rows(ConstView from, View to) {
  for (std::int64_t r = 0; r < from.rows; ++r) std::copy_n(from.row(r), from.cols, to.row(r));
}

void copy_turned(ConstView from, View to) {
  for (std::int64_t c = 0; c < from.cols; ++c)
    for (std::int64_t r = 0; r < from.rows; ++r) to.row(c)[r] = from.row(r)[c];
}

}  // namespace

bool CpuBackend::is_narrow(std::int64_t inner, std::int64_t columns, Precision precision, DType type) const {
  const bool narrow = (columns <= kNarrow && inner > kStepK) || (inner <= kNarrow && columns > kStepK);
  return precision == Precision::f32 && type == DType::f32 && narrow;
}

void CpuBackend::narrow_product(ConstView x, const std::byte* panels, std::int64_t stride, const float* bias, View out,
                                bool accumulate) {
  const std::int64_t in_task = 2 * kernels_.tile_rows;
  const bool copies = x.cols > kStepK;
  for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(in_task * kStride) * sizeof(float));
  pool_.run((x.rows + in_task - 1) / in_task, [&](std::int64_t task, int thread) {
    const std::int64_t row = task * in_task, rows = std::min(in_task, x.rows - row);
    auto* copy = reinterpret_cast<float*>(of_thread_[std::size_t(thread)].reserve(0));
    for (std::int64_t start = 0; start < x.cols; start += kStepK) {
      const std::int64_t width = std::min(kStepK, x.cols - start);
      if (copies) copy_rows(x.row_range(row, rows).col_range(start, width), {copy, rows, width, kStride});
      product(Precision::f32, DType::f32)
          .run({.a = copies ? copy : x.row(row),
                .a_stride = copies ? kStride : x.stride,
                .b = panels + panel_data(start, DType::f32),
                .b_stride = stride,
                .c = out.row(row),
                .c_stride = out.stride,
                .rows = rows,
                .columns = out.cols,
                .k = width,
                .accumulate = accumulate || start > 0,
                .bias = start + width < x.cols ? nullptr : bias});
    }
  });
}

void CpuBackend::narrow_input_gradient(ConstView dy, const Weight& weight, View dx, bool accumulate) {
  const TurnedPanel turned(weight, kernels_, DType::f32);
  const std::int64_t stride = panel_data(round_up(weight.rows, kPanel), DType::f32);
  std::byte* panels = shared_.reserve(std::size_t((dx.cols + kPanel - 1) / kPanel * stride));
  const std::int64_t down = (weight.rows + kPanel - 1) / kPanel, across = (dx.cols + kPanel - 1) / kPanel;
  for_rows(down * across, 4 * kPanel * kPanel, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t i = first; i < first + count; ++i) {
      const std::int64_t row = i / across * kPanel, panel = i % across;
      turned.make(row, std::min(kPanel, weight.rows - row), panel * kPanel,
                  panels + panel * stride + panel_data(row, DType::f32));
    }
  });
  narrow_product(dy, panels, stride, nullptr, dx, accumulate);
}

// Sums (narrow, wide) or, when `turned`, (wide, narrow) += narrow^T wide, columns of `wide` by columns: as panels.
void CpuBackend::narrow_weight_gradient(ConstView narrow, ConstView wide, View sums, bool turned) {
  const std::int64_t most = std::min(kSumRows, wide.rows), stride = round_up(most, kPanel) + kPanel;
  auto* left = reinterpret_cast<float*>(shared_.reserve(std::size_t(narrow.cols * stride) * sizeof(float)));
  const std::int64_t apart = most * kTaskColumns;  // of the sums when they are turned
  for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(apart + narrow.cols * kTaskColumns) * sizeof(float));
  for (std::int64_t start = 0; start < wide.rows; start += kSumRows) {
    const std::int64_t rows = std::min(kSumRows, wide.rows - start);
    copy_turned(narrow.row_range(start, rows), {left, narrow.cols, rows, stride});
    pool_.run((wide.cols + kTaskColumns - 1) / kTaskColumns, [&](std::int64_t task, int thread) {
      const std::int64_t column = task * kTaskColumns, columns = std::min(kTaskColumns, wide.cols - column);
      auto* panels = reinterpret_cast<float*>(of_thread_[std::size_t(thread)].reserve(0));
      const ConstView part = wide.row_range(start, rows).col_range(column, columns);
      for (std::int64_t c = 0; c < columns; c += kPanel) {
        const std::int64_t width = std::min(kPanel, columns - c);
        float* panel = panels + c * rows;
        if (width < kPanel) std::fill_n(panel, rows * kPanel, 0.0f);
        copy_rows(part.col_range(c, width), {panel, rows, width, kPanel});
      }
      const View own = turned ? View(panels + apart, narrow.cols, columns) : sums.col_range(column, columns);
      if (turned) copy_turned(sums.row_range(column, columns), own);
      product(Precision::f32, DType::f32)
          .run({.a = left,
                .a_stride = stride,
                .b = panels,
                .b_stride = panel_data(rows, DType::f32),
                .c = own.data,
                .c_stride = own.stride,
                .rows = narrow.cols,
                .columns = columns,
                .k = rows,
                .accumulate = true});
      if (turned) copy_turned(own, sums.row_range(column, columns));
    });
  }
}

}  // namespace paligemma
