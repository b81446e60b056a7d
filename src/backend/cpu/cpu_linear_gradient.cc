// Gradients of products with weight matrices.
//
// That of the input is a product with the transposed matrix: a task turns some columns of the matrix's panels over, a
// piece that stays in cache, and multiplies all rows with it. That of the weight has rows for its inner size: the
// output's gradient is turned over, and the input is packed as panels of 16 columns.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMostRows = 576;  // of a chunk: bounds the memory
constexpr std::int64_t kColumns = 128;   // of a task
constexpr std::int64_t kPiece = 512;     // rows of the matrix that are turned over at once: even, whole panels

// Sixteen columns of the matrix from `column` on, its rows [first, first + count): a panel [count][16] of f32, or
// [count / 2][16][2] of bf16. `first` is a multiple of 16; what is missing at the edges is zero.
class TurnedPanel {
 public:
  TurnedPanel(const Weight& weight, const Kernels& kernels, DType as) : weight_(weight), kernels_(kernels), as_(as) {}

  void make(std::int64_t first, std::int64_t count, std::int64_t column, std::byte* out) const {
    const std::int64_t bytes = panel_data(kPanel, as_), stride = panel_bytes(weight_.cols, weight_.dtype);
    const std::byte* panel = weight_.storage.get() + first / kPanel * stride;
    const bool pairs = weight_.dtype == DType::bf16 && column + kPanel <= round_up(weight_.cols, 2);
    const std::int64_t scales =
        panel_data(weight_.cols, weight_.dtype) + column / block_length(weight_.dtype) * kPanel * 2;
    alignas(64) std::uint16_t widened[kPanel * kPanel];
    for (std::int64_t at = 0; at < count; at += kPanel, panel += stride, out += bytes) {
      auto* turned = reinterpret_cast<std::uint16_t*>(out);
      if (as_ == DType::bf16 && pairs) {
        kernels_.turn_bf16(reinterpret_cast<const std::uint16_t*>(panel + panel_data(column, DType::bf16)), turned);
      } else if (as_ == DType::bf16 && in_blocks(weight_.dtype)) {
        const bool halves = weight_.dtype == DType::q4;
        kernels_.widen_blocks[halves](panel + column * kPanel / (halves ? 2 : 1),
                                      reinterpret_cast<const std::uint16_t*>(panel + scales), widened);
        kernels_.turn_bf16(widened, turned);
      } else {
        turn(panel, column, std::min(kPanel, count - at), out);
      }
    }
  }

 private:
  void turn(const std::byte* panel, std::int64_t column, std::int64_t rows, std::byte* out) const {
    std::fill_n(out, panel_data(kPanel, as_), std::byte{0});
    const std::int64_t width = std::min(kPanel, weight_.cols - column);
    float values[kPanel];
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      unpack_elements(panel, weight_.dtype, lane, weight_.cols, column, width, values);
      for (std::int64_t i = 0; i < width; ++i) {
        if (as_ == DType::bf16) {
          reinterpret_cast<std::uint16_t*>(out)[panel_index(lane, i, as_)] = f32_to_bf16(values[i]);
        } else {
          reinterpret_cast<float*>(out)[panel_index(lane, i, as_)] = values[i];
        }
      }
    }
  }

  const Weight& weight_;
  const Kernels& kernels_;
  DType as_;
};

}  // namespace

void CpuBackend::linear_input_gradient(ConstView dy, const Weight& weight, View dx, Precision precision) {
  check_shape(
      weight.form == Weight::Form::matrix && weight.rows == dy.cols && weight.cols == dx.cols && dx.rows == dy.rows,
      "linear_input_gradient: expected a matrix (", dy.cols, ", ", dx.cols, ") and ", dy.rows, " rows, got (",
      weight.rows, ", ", weight.cols, ") and ", dx.rows);
  const DType as = precision == Precision::f32 || weight.dtype == DType::f32 ? DType::f32 : DType::bf16;
  if (precision == Precision::int8) precision = Precision::bf16;
  const ProductKernel& kernel = product(precision, as);
  const TurnedPanel turned(weight, kernels_, as);
  const std::int64_t panels = (dx.cols + kPanel - 1) / kPanel;
  const std::int64_t in_task = std::clamp<std::int64_t>(panels / (4 * pool_.threads()), 1, kColumns / kPanel);
  const std::int64_t stride = panel_data(kPiece, as);
  for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(in_task * stride));
  for (std::int64_t start = 0; start < dy.rows; start += kMostRows) {
    const std::int64_t rows = std::min(kMostRows, dy.rows - start);
    const Operand operand = prepare(dy.row_range(start, rows), precision, kernel.left);
    pool_.run((panels + in_task - 1) / in_task, [&](std::int64_t task, int thread) {
      const std::int64_t column = task * in_task * kPanel;
      const View out = dx.row_range(start, rows).col_range(column, std::min(in_task * kPanel, dx.cols - column));
      std::byte* piece = of_thread_[std::size_t(thread)].reserve(0);
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
    });
  }
}

// In chunks of an even number of rows, whose sums continue one another.
void CpuBackend::linear_weight_gradient(ConstView dy, ConstView x, View dweight, Precision precision) {
  check_shape(dy.rows == x.rows && dweight.rows == dy.cols && dweight.cols == x.cols,
              "linear_weight_gradient: expected (", dy.cols, ", ", x.cols, "), got (", dweight.rows, ", ", dweight.cols,
              ") of ", dy.rows, " and ", x.rows, " rows");
  const DType as = precision == Precision::f32 ? DType::f32 : DType::bf16;
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
