// Products of activations with weight matrices.
//
// The left operand is cut into blocks of k, so that its part and a panel's part stay in cache; the right one into
// groups of columns, which are the tasks. Neither changes an element's chain of additions (kernels.h).
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {
namespace {

constexpr std::int64_t kBlockK = 256;            // a panel's part: 16 KiB of f32, half of a usual first cache
constexpr std::int64_t kBlockRows = 288;         // of A: with kBlockK 288 KiB, to stay in a second cache of 512 KiB
constexpr std::int64_t kMostGroupColumns = 512;  // of one task: so often is a block of A used
constexpr std::int64_t kChunkRows = 576;         // prepared at once: bounds the memory to 576 K floats

void check_matrix(const Weight& weight, ConstView x, ConstView out) {
  check_shape(
      weight.form == Weight::Form::matrix && weight.cols == x.cols && weight.rows == out.cols && out.rows == x.rows,
      "linear: expected a matrix (", out.cols, ", ", x.cols, ") and ", x.rows, " rows, got (", weight.rows, ", ",
      weight.cols, ") and ", out.rows, " rows");
}

}  // namespace

CpuBackend::Operand CpuBackend::prepare(ConstView x, Precision precision, bool bf16, Scratch& scratch) {
  const std::int64_t k = x.cols, block = x.rows <= kernels_.tile_rows ? k : kBlockK;
  Operand operand{.stride = k, .rows = x.rows, .k = k, .k_block = block, .bf16 = bf16};
  if (precision == Precision::f32 && block == k) {
    operand.data = reinterpret_cast<const std::byte*>(x.data);
    operand.stride = x.stride;
    return operand;
  }
  std::byte* data = scratch.reserve(std::size_t(x.rows * k) * sizeof(float));
  operand.data = data;
  for_rows(x.rows, k, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t start = 0; start < k; start += block) {
      const std::int64_t width = std::min(block, k - start);
      for (std::int64_t row = first; row < first + count; ++row) {
        const float* from = x.row(row) + start;
        const std::int64_t at = start * x.rows + row * width;
        if (bf16) {
          kernels_.narrow_bf16(width, from, reinterpret_cast<std::uint16_t*>(data) + at);
        } else if (precision == Precision::bf16) {
          kernels_.round_bf16(width, from, reinterpret_cast<float*>(data) + at);
        } else {
          std::copy_n(from, width, reinterpret_cast<float*>(data) + at);
        }
      }
    }
  });
  return operand;
}

// out = rows [first, first + out.rows) of x times columns [column, column + out.cols) of W^T, or += when `accumulate`.
void CpuBackend::multiply(const Operand& x, std::int64_t first, const Weight& weight, std::int64_t column,
                          const ProductKernel& kernel, View out, bool accumulate) const {
  const std::int64_t panel = panel_bytes(x.k, weight.dtype), size = x.bf16 ? 2 : 4;
  const std::byte* b = weight.storage.get() + column / kPanel * panel;
  for (std::int64_t start = 0; start < x.k; start += x.k_block) {
    const std::int64_t width = std::min(x.k_block, x.k - start);
    const std::ptrdiff_t stride = x.k_block == x.k ? x.stride : width;
    kernel.run({.a = x.data + (start * x.rows + first * stride) * size,
                .a_stride = stride,
                .b = b + panel_bytes(start, weight.dtype),
                .b_stride = panel,
                .c = out.data,
                .c_stride = out.stride,
                .rows = out.rows,
                .columns = out.cols,
                .k = width,
                .accumulate = accumulate || start > 0,
                .next = start + width < x.k ? b + panel_bytes(start + width, weight.dtype) : nullptr});
  }
}

// Even blocks, and groups small enough to keep all threads busy to the end.
CpuBackend::Cut CpuBackend::cut_tasks(std::int64_t rows, std::int64_t columns) const {
  const std::int64_t least = (rows + kBlockRows - 1) / kBlockRows;
  const std::int64_t each = round_up((rows + least - 1) / least, kernels_.tile_rows), blocks = (rows + each - 1) / each;
  const std::int64_t tasks = (rows <= kernels_.tile_rows ? 16 : 4) * pool_.threads();
  const std::int64_t group = round_up(columns * blocks / tasks + 1, 2 * kPanel);
  return {each, blocks, std::clamp(group, 4 * kPanel, kMostGroupColumns)};
}

void CpuBackend::linear(ConstView x, std::span<const LinearPart> parts, Precision precision) {
  std::int64_t columns = 0;
  for (const LinearPart& part : parts) {
    check_matrix(*part.weight, x, part.out);
    check_shape(part.bias == nullptr || part.bias->cols == part.out.cols, "linear: expected a bias of ", part.out.cols,
                ", got ", part.bias == nullptr ? 0 : part.bias->cols);
    columns += part.out.cols;
  }
  for (std::int64_t start = 0; start < x.rows; start += kChunkRows) {
    const ConstView rows = x.row_range(start, std::min(kChunkRows, x.rows - start));
    Operand operands[2];
    for (const LinearPart& part : parts) {
      const bool bf16 = product(precision, part.weight->dtype).bf16_a;
      if (operands[bf16].data == nullptr) operands[bf16] = prepare(rows, precision, bf16, operands_[bf16]);
    }
    const Cut cut = cut_tasks(rows.rows, columns);
    std::int64_t groups = 0;
    for (const LinearPart& part : parts) groups += (part.out.cols + cut.columns - 1) / cut.columns;
    pool_.run(groups * cut.blocks, [&](std::int64_t i, int) {
      const std::int64_t row = i % cut.blocks * cut.rows;
      std::int64_t column = i / cut.blocks * cut.columns;
      const LinearPart* part = parts.data();
      for (; column >= part->out.cols; ++part) column -= round_up(part->out.cols, cut.columns);
      const ProductKernel& kernel = product(precision, part->weight->dtype);
      const View out = part->out.row_range(start + row, std::min(cut.rows, rows.rows - row))
                           .col_range(column, std::min(cut.columns, part->out.cols - column));
      multiply(operands[kernel.bf16_a], row, *part->weight, column, kernel, out, part->accumulate);
      if (part->bias == nullptr) return;
      for (std::int64_t r = 0; r < out.rows; ++r) kernels_.add(out.cols, part->bias->view().data + column, out.row(r));
    });
  }
}

void CpuBackend::gated_gelu(ConstView x, const Weight& gate, const Weight& up, View y, Precision precision) {
  check_matrix(gate, x, y);
  check_matrix(up, x, y);
  check_shape(gate.dtype == up.dtype, "gated_gelu: expected one type, got ", paligemma::name(gate.dtype), " and ",
              paligemma::name(up.dtype));
  const ProductKernel& kernel = product(precision, gate.dtype);
  for (std::int64_t start = 0; start < x.rows; start += kChunkRows) {
    const ConstView rows = x.row_range(start, std::min(kChunkRows, x.rows - start));
    const Operand operand = prepare(rows, precision, kernel.bf16_a, operands_[kernel.bf16_a]);
    const Cut cut = cut_tasks(rows.rows, y.cols);
    for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(cut.rows * cut.columns) * sizeof(float));
    pool_.run((y.cols + cut.columns - 1) / cut.columns * cut.blocks, [&](std::int64_t i, int thread) {
      const std::int64_t row = i % cut.blocks * cut.rows, column = i / cut.blocks * cut.columns;
      const View out = y.row_range(start + row, std::min(cut.rows, rows.rows - row))
                           .col_range(column, std::min(cut.columns, y.cols - column));
      const View other(reinterpret_cast<float*>(of_thread_[thread].reserve(0)), out.rows, out.cols);
      multiply(operand, row, gate, column, kernel, out);
      multiply(operand, row, up, column, kernel, other);
      for (std::int64_t r = 0; r < out.rows; ++r) kernels_.gated_gelu(out.cols, other.row(r), out.row(r));
    });
  }
}

// Of id's row in the panels: one element from each of K (or K / 2) lines.
void CpuBackend::embed(const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding, View y) {
  check_shape(table.form == Weight::Form::matrix && table.cols == y.cols && std::int64_t(ids.size()) == y.rows,
              "embed: expected ", y.rows, " ids of width ", y.cols, ", got ", ids.size(), " of width ", table.cols);
  for (const std::int32_t id : ids) {
    check_shape(id >= 0 && id < table.rows, "embed: expected an id below ", table.rows, ", got ", id);
  }
  const std::int64_t panel = panel_bytes(table.cols, table.dtype);
  for_rows(y.rows, y.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      unpack_row(table.storage.get() + ids[r] / kPanel * panel, table.dtype, ids[r] % kPanel, y.cols, scale, y.row(r));
      if (rounding == DType::f32) continue;
      for (std::int64_t i = 0; i < y.cols; ++i) y.row(r)[i] = round_to(rounding, y.row(r)[i]);
    }
  });
}

}  // namespace paligemma
