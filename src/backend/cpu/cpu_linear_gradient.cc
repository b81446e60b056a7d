// Gradients of products with weight matrices.
//
// That of the input is a product with the transposed matrix: a task turns some columns of the matrix's panels over, a
// piece that stays in cache, and multiplies all rows with it; the sums lie apart until then, as rows of many widths
// would fall into the same sets of the first cache. That of the weight has rows for its inner size: the
// output's gradient is turned over, and the input is packed as panels of 16 columns.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"
#include "backend/cpu/turned_panel.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMostRows = 576;    // of a chunk: bounds the memory
constexpr std::int64_t kColumns = 128;     // of a task
constexpr std::int64_t kWorthACopy = 128;  // rows of the matrix
constexpr std::int64_t kPiece = 2304;      // rows of the matrix that are turned over at once: even, whole panels

}  // namespace

void CpuBackend::linear_input_gradient(ConstView dy, const Weight& weight, View dx, Precision precision) {
  check_shape(
      weight.form == Weight::Form::matrix && weight.rows == dy.cols && weight.cols == dx.cols && dx.rows == dy.rows,
      "linear_input_gradient: expected a matrix (", dy.cols, ", ", dx.cols, ") and ", dy.rows, " rows, got (",
      weight.rows, ", ", weight.cols, ") and ", dx.rows);
  const DType as = precision == Precision::f32 || weight.dtype == DType::f32 ? DType::f32 : DType::bf16;
  if (precision == Precision::int8) precision = Precision::bf16;
  const ProductKernel& kernel = product(precision, as);
  if (is_narrow(dy.cols, dx.cols, precision, weight.dtype)) return narrow_input_gradient(dy, weight, dx);
  const TurnedPanel turned(weight, kernels_, as);
  const std::int64_t panels = (dx.cols + kPanel - 1) / kPanel;
  const std::int64_t in_task = std::clamp<std::int64_t>(panels / (4 * pool_.threads()), 1, kColumns / kPanel);
  const std::int64_t stride = panel_data(std::min(kPiece, round_up(weight.rows, kPanel)), as),
                     width = in_task * kPanel + kPanel;
  const bool apart = weight.rows >= kWorthACopy;
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
      for (std::int64_t r = 0; apart && r < rows; ++r) std::copy_n(to.row(r), to.cols, out.row(r));
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
                    .accumulate = true});
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
  const bool narrow = kernel.left == Left::bf16;
  for (std::int64_t start = 0; start < x.rows; start += kMostRows) {
    const std::int64_t rows = std::min(kMostRows, x.rows - start), even = round_up(rows, 2);
    const std::int64_t panels = (x.cols + kPanel - 1) / kPanel, stride = panel_data(even, as);
    const std::int64_t element = narrow ? 2 : 4;
    std::byte* left = shared_.reserve(std::size_t(dy.cols * even * element + panels * stride + 64));
    std::byte* right = left + round_up(dy.cols * even * element, 64);
    for_rows(panels, kPanel * rows, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t panel = first; panel < first + count; ++panel) {
        const std::int64_t width = std::min(kPanel, x.cols - panel * kPanel);
        std::byte* out = right + panel * stride;
        std::fill_n(out, stride, std::byte{0});
        for (std::int64_t r = 0; r < rows; ++r) {
          const float* from = x.row(start + r) + panel * kPanel;
          for (std::int64_t i = 0; i < width; ++i) {
            if (as == DType::bf16) {
              reinterpret_cast<std::uint16_t*>(out)[panel_index(r, i, as)] = f32_to_bf16(from[i]);
            } else {
              reinterpret_cast<float*>(out)[panel_index(r, i, as)] = from[i];
            }
          }
        }
      }
    });
    for_columns(dy.cols, rows, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t r = 0; r < rows; ++r) {
        const float* from = dy.row(start + r);
        for (std::int64_t n = first; n < first + count; ++n) {
          const float value = precision == Precision::f32 ? from[n] : round_to_bf16(from[n]);
          if (narrow) {
            reinterpret_cast<std::uint16_t*>(left)[n * even + r] = f32_to_bf16(value);
          } else {
            reinterpret_cast<float*>(left)[n * even + r] = value;
          }
        }
      }
    });
    const Cut cut = cut_tasks(dy.cols, 2 * kPanel, (panels + 1) / 2);
    pool_.run(cut.tasks(), [&](std::int64_t task, int) {
      const std::int64_t row = cut.first_row(task), column = cut.first_unit(task) * cut.unit;
      const View out = dweight.row_range(row, std::min(cut.rows, dweight.rows - row))
                           .col_range(column, std::min(cut.end_unit(task) * cut.unit, dweight.cols) - column);
      kernel.run({.a = left + row * even * element,
                  .a_stride = even,
                  .b = right + column / kPanel * stride,
                  .b_stride = stride,
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
