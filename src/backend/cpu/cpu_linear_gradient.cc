// Gradients of products with weight matrices.
//
// That of the input is a product with the transposed matrix: a task turns some columns of the matrix's panels over, a
// piece that stays in cache, and multiplies all rows with it; the sums lie apart until then, as wide rows of many
// widths would fall into the same sets of the first cache. That of the weight has rows for its inner size: the
// output's gradient is turned over, and the input is packed as panels of 16 columns.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"
#include "backend/cpu/row_words.h"
#include "backend/cpu/turned_panel.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMostRows = 576;    // of a chunk: bounds the memory
constexpr std::int64_t kColumns = 128;     // of a task
constexpr std::int64_t kWorthACopy = 128;  // rows of the matrix
constexpr std::int64_t kNarrowRow = 1024;  // of sums: such rows do not crowd into a few sets
constexpr std::int64_t kPiece = 2304;      // rows of the matrix that are turned over at once: even, whole panels

}  // namespace

void CpuBackend::linear_input_gradient(ConstView dy, const Weight& weight, View dx, Precision precision,
                                       bool accumulate) {
  check_shape(
      weight.form == Weight::Form::matrix && weight.rows == dy.cols && weight.cols == dx.cols && dx.rows == dy.rows,
      "linear_input_gradient: expected a matrix (", dy.cols, ", ", dx.cols, ") and ", dy.rows, " rows, got (",
      weight.rows, ", ", weight.cols, ") and ", dx.rows);
  const DType as = precision == Precision::f32 || weight.dtype == DType::f32 ? DType::f32 : DType::bf16;
  if (precision == Precision::int8) precision = Precision::bf16;
  const ProductKernel& kernel = product(precision, as);
  if (is_narrow(dy.cols, dx.cols, precision, weight.dtype)) return narrow_input_gradient(dy, weight, dx, accumulate);
  const TurnedPanel turned(weight, kernels_, as);
  const std::int64_t panels = (dx.cols + kPanel - 1) / kPanel;
  const std::int64_t in_task = std::clamp<std::int64_t>(panels / (4 * pool_.threads()), 1, kColumns / kPanel);
  const std::int64_t stride = panel_data(std::min(kPiece, round_up(weight.rows, kPanel)), as),
                     width = in_task * kPanel + kPanel;
  const bool apart = weight.rows >= kWorthACopy && dx.stride >= kNarrowRow;
  const std::int64_t sums = in_task * stride, most_rows = std::min(kMostRows, dy.rows);
  for (Scratch& scratch : of_thread_)
    scratch.reserve(std::size_t(sums + most_rows * width * std::int64_t(sizeof(float))));
  for (std::int64_t start = 0; start < dy.rows; start += kMostRows) {
    const std::int64_t rows = std::min(kMostRows, dy.rows - start);
    const Operand operand = prepare(dy.row_range(start, rows), precision, kernel.left);
    pool_.run((panels + in_task - 1) / in_task, [&](std::int64_t task, int thread) {
      const std::int64_t column = task * in_task * kPanel;
      const View to = dx.row_range(start, rows).col_range(column, std::min(in_task * kPanel, dx.cols - column));
      std::byte* piece = of_thread_[std::size_t(thread)].reserve(0);
      const View out = apart ? View(reinterpret_cast<float*>(piece + sums), rows, to.cols, width) : to;
      for (std::int64_t r = 0; apart && accumulate && r < rows; ++r) std::copy_n(to.row(r), to.cols, out.row(r));
      for (std::int64_t first = 0, count; first < weight.rows; first += count) {
        const std::int64_t block = first / operand.k_block, in_block = first % operand.k_block;
        count = std::min({kPiece, weight.rows - first, operand.k_block - in_block});
        for (std::int64_t i = 0; i < out.cols; i += kPanel)
          turned.make(first, count, column + i, piece + i / kPanel * stride);
        kernel.run({.a = operand.data + (block * operand.rows * operand.stride + in_block) * operand.element_bytes(),
                    .a_stride = operand.stride,
                    .b = piece,
                    .b_stride = stride,
                    .c = out.data,
                    .c_stride = out.stride,
                    .rows = rows,
                    .columns = out.cols,
                    .k = count,
                    .accumulate = accumulate || first > 0});
      }
      for (std::int64_t r = 0; apart && r < rows; ++r) std::copy_n(out.row(r), to.cols, to.row(r));
    });
  }
}

// In chunks of an even number of rows, whose sums continue one another.
void CpuBackend::linear_weight_gradient(ConstView dy, ConstView x, View dweight, Precision precision) {
  check_shape(dy.rows == x.rows && dweight.rows == dy.cols && dweight.cols == x.cols,
              "linear_weight_gradient: expected (", dy.cols, ", ", x.cols, "), got (", dweight.rows, ", ", dweight.cols,
              ") of ", dy.rows, " and ", x.rows, " rows");
  const DType as = precision == Precision::f32 ? DType::f32 : DType::bf16;
  if (is_narrow(x.cols, dy.cols, precision, as))
    return dy.cols < x.cols ? narrow_weight_gradient(dy, x, dweight, false)
                            : narrow_weight_gradient(x, dy, dweight, true);
  if (precision == Precision::int8) precision = Precision::bf16;
  const ProductKernel& kernel = product(precision, as);
  using Kind = RowWords::Kind;
  const RowWords left_words(kernels_, kernel.left == Left::bf16     ? Kind::pairs
                                      : precision == Precision::f32 ? Kind::plain
                                                                    : Kind::rounded);
  const RowWords right_words(kernels_, as == DType::bf16 ? Kind::pairs : Kind::plain);
  const std::int64_t panels = (x.cols + kPanel - 1) / kPanel, most_rows = std::min(kMostRows, x.rows);
  const std::int64_t left_stride = left_words.words(most_rows) | kPanel;  // an odd number of lines
  const std::int64_t right_stride = right_words.words(most_rows) * kPanel;
  const std::int64_t left_floats = round_up(dy.cols, kPanel) * left_stride;
  auto* left =
      reinterpret_cast<float*>(shared_.reserve(std::size_t(left_floats + panels * right_stride) * sizeof(float)));
  float* right = left + left_floats;
  for (std::int64_t start = 0; start < x.rows; start += kMostRows) {
    const std::int64_t rows = std::min(kMostRows, x.rows - start);
    const std::int64_t of_left = left_words.words(rows) / RowWords::kDeep,
                       of_right = right_words.words(rows) / RowWords::kDeep;
    pool_.run(of_left + of_right, [&](std::int64_t task, int) {
      if (task < of_left)
        left_words.turn(dy.row_range(start, rows), task, left, left_stride);
      else
        right_words.pack(x.row_range(start, rows), task - of_left, right, right_stride);
    });
    const Cut cut = cut_tasks(dy.cols, 2 * kPanel, (panels + 1) / 2);
    pool_.run(cut.tasks(), [&](std::int64_t task, int) {
      const std::int64_t row = cut.first_row(task), column = cut.first_unit(task) * cut.unit;
      const View out = dweight.row_range(row, std::min(cut.rows, dweight.rows - row))
                           .col_range(column, std::min(cut.end_unit(task) * cut.unit, dweight.cols) - column);
      kernel.run({.a = left + row * left_stride,
                  .a_stride = left_stride * (kernel.left == Left::bf16 ? 2 : 1),
                  .b = right + column / kPanel * right_stride,
                  .b_stride = right_stride * std::int64_t(sizeof(float)),
                  .c = out.data,
                  .c_stride = out.stride,
                  .rows = out.rows,
                  .columns = out.cols,
                  .k = rows,
                  .accumulate = true});
    });
  }
}

}  // namespace paligemma
