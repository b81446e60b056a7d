// Products of activations with weight matrices.
//
// The left operand is cut into blocks of k, so that its part and a panel's part stay in cache; the right one into
// groups of columns, which are the tasks. Neither changes an element's chain of additions (kernels.h).
#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {
namespace {

// Blocks of k of f32: a panel's part, widened, takes 16 KiB, half of a usual first cache. Of bf16, which nothing
// widens, they are long: sums are then seldom stored and loaded again, which outweighs that a block of A falls into
// the third cache.
constexpr std::int64_t kBlockK = 256, kBlockPairsK = 2304;
constexpr std::int64_t kBlockRows = 288;         // of A: with kBlockK 288 KiB, to stay in a second cache of 512 KiB
constexpr std::int64_t kMostGroupColumns = 512;  // of one task: so often is a block of A used
constexpr std::int64_t kTasksOfThread = 16;      // at least, so that threads end together though a core is slowed down
constexpr std::int64_t kChunkRows = 576;         // prepared at once: bounds the memory to 576 K floats

// Elements from row to row, at least `width`: an odd number of lines of the cache, so that the same place of several
// rows does not fall into the same set of the first one.
std::int64_t spread_stride(std::int64_t width, std::int64_t element) {
  constexpr std::int64_t kLine = 64;
  return ((width * element + kLine - 1) / kLine | 1) * kLine / element;
}

// Of the row of `weight`, or null where there is none.
const std::byte* panel_of(const Weight& weight, std::int64_t row) {
  return row < weight.rows ? weight.storage.get() + row / kPanel * panel_bytes(weight.cols, weight.dtype) : nullptr;
}

void check_matrix(const Weight& weight, ConstView x, ConstView out) {
  check_shape(
      weight.form == Weight::Form::matrix && weight.cols == x.cols && weight.rows == out.cols && out.rows == x.rows,
      "linear: expected a matrix (", out.cols, ", ", x.cols, ") and ", x.rows, " rows, got (", weight.rows, ", ",
      weight.cols, ") and ", out.rows, " rows");
}

}  // namespace

CpuBackend::Operand CpuBackend::prepare(ConstView x, Precision precision, Left left) {
  const bool integers = in_blocks(left);
  const std::int64_t step = integers ? block_length(left) : 32, k = integers ? round_up(x.cols, step) : x.cols;
  const std::int64_t longest = left == Left::f32 ? kBlockK : kBlockPairsK, blocks = (k + longest - 1) / longest;
  const std::int64_t even = left == Left::f32 ? kBlockK : round_up((k + blocks - 1) / blocks, step);
  const std::int64_t block = x.rows <= kernels_.tile_rows || k <= longest ? std::max<std::int64_t>(k, 1) : even;
  Operand operand{.rows = x.rows, .k = k, .k_block = block, .left = left};
  if (left == Left::f32 && precision == Precision::f32 && block == k) {
    operand.data = reinterpret_cast<const std::byte*>(x.data);
    operand.stride = x.stride;
    return operand;
  }
  const std::int64_t element = operand.element_bytes(), stride = spread_stride(block, element);
  const std::int64_t bytes = (k + block - 1) / block * x.rows * stride * element;
  const std::int64_t in_row = integers ? k / step : 0;  // scales, and as many sums
  std::byte* data = operands_[int(left)].reserve(std::size_t(bytes + x.rows * in_row * 8));
  auto* scales = reinterpret_cast<float*>(data + bytes);
  auto* sums = reinterpret_cast<std::int32_t*>(scales + x.rows * in_row);
  operand.data = data;
  operand.stride = stride;
  operand.scales = scales;
  operand.sums = sums;
  // Without products of bytes the same numbers are words.
  const float levels = precision == Precision::int8 ? 127 : 32767;
  const int kind = step == kLongBlock ? 1 : 0;
  for_rows(x.rows, integers ? 4 * k : k, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t start = 0; start < x.cols; start += block) {
      const std::int64_t width = std::min(block, x.cols - start);
      for (std::int64_t row = first; row < first + count; ++row) {
        const float* from = x.row(row) + start;
        std::byte* to = data + (start / block * x.rows + row) * stride * element;
        const std::int64_t at = row * in_row + start / step;
        if (in_bytes(left)) {
          kernels_.quantize_bytes[kind](width, from, reinterpret_cast<std::int8_t*>(to), scales + at, sums + at);
        } else if (integers) {
          kernels_.quantize_words[kind](width, from, levels, reinterpret_cast<std::int16_t*>(to), scales + at,
                                        sums + at);
        } else if (left == Left::bf16) {
          kernels_.narrow_bf16(width, from, reinterpret_cast<std::uint16_t*>(to));
        } else if (precision != Precision::f32) {
          kernels_.round_bf16(width, from, reinterpret_cast<float*>(to));
        } else {
          std::copy_n(from, width, reinterpret_cast<float*>(to));
        }
      }
    }
  });
  return operand;
}

// out = rows [first, first + out.rows) of x times columns [column, column + out.cols) of W^T, or += when `accumulate`,
// and `bias` (out.cols) on top. `next` is the panel that will probably be wanted next, or null.
void CpuBackend::multiply(const Operand& x, std::int64_t first, const Weight& weight, std::int64_t column,
                          const ProductKernel& kernel, View out, const std::byte* next, bool accumulate,
                          const float* bias) const {
  const std::int64_t panel = panel_bytes(weight.cols, weight.dtype), length = block_length(x.left);
  const std::int64_t blocks = x.k / length;
  const std::byte* b = panel_of(weight, column);
  const std::byte* b_scales = b + panel_data(weight.cols, weight.dtype);
  for (std::int64_t start = 0; start < x.k; start += x.k_block) {
    const std::int64_t width = std::min(x.k_block, x.k - start), block = start / length;
    const std::byte* data = b + panel_data(start, weight.dtype);
    Product product{.a = x.data + (start / x.k_block * x.rows + first) * x.stride * x.element_bytes(),
                    .a_stride = x.stride,
                    .b = data,
                    .b_stride = panel,
                    .c = out.data,
                    .c_stride = out.stride,
                    .rows = out.rows,
                    .columns = out.cols,
                    .k = width,
                    .accumulate = accumulate || start > 0,
                    .bias = start + width < x.k ? nullptr : bias,
                    .next = start + width < x.k ? b + panel_data(start + width, weight.dtype) : next};
    if (in_blocks(x.left)) {
      product.a_scales = x.scales + first * blocks + block;
      product.a_sums = x.sums + first * blocks + block;
      product.a_blocks = blocks;
      product.b_scales = b_scales + block * kPanel * 2 - data;
    }
    kernel.run(product);
  }
}

// Columns that a kernel takes at once: all its streams when the rows fit into one tile.
std::int64_t CpuBackend::unit_columns(std::int64_t rows) const {
  return (rows <= kernels_.tile_rows ? kernels_.streams : 2) * kPanel;
}

CpuBackend::Cut CpuBackend::cut_tasks(std::int64_t rows, std::int64_t unit, std::int64_t units) const {
  const std::int64_t least = (rows + kBlockRows - 1) / kBlockRows, threads = pool_.threads();
  const std::int64_t each = round_up((rows + least - 1) / least, kernels_.tile_rows), blocks = (rows + each - 1) / each;
  const std::int64_t small = kMostGroupColumns / unit;
  const std::int64_t wanted = round_up(std::max((units + small - 1) / small, kTasksOfThread * threads), threads);
  const std::int64_t groups = std::min(wanted, std::max<std::int64_t>(units, 1));
  return {each, blocks, unit, units, groups, groups % threads == 0 ? threads : 1};
}

void CpuBackend::linear(ConstView x, std::span<const LinearPart> parts, Precision precision) {
  for (const LinearPart& part : parts) {
    check_matrix(*part.weight, x, part.out);
    check_shape(part.bias == nullptr || part.bias->cols == part.out.cols, "linear: expected a bias of ", part.out.cols,
                ", got ", part.bias == nullptr ? 0 : part.bias->cols);
  }
  const LinearPart& only = parts.front();
  if (parts.size() == 1 && !only.gelu && x.rows > kernels_.tile_rows &&
      is_narrow(x.cols, only.out.cols, precision, only.weight->dtype))
    return narrow_product(x, only.weight->storage.get(), panel_bytes(x.cols, DType::f32),
                          only.bias == nullptr ? nullptr : only.bias->view().data, only.out, only.accumulate);
  for (std::int64_t start = 0; start < x.rows; start += kChunkRows) {
    const ConstView rows = x.row_range(start, std::min(kChunkRows, x.rows - start));
    const std::int64_t unit = unit_columns(rows.rows);
    const auto units_of = [&](const LinearPart& part) { return (part.out.cols + unit - 1) / unit; };
    std::int64_t units = 0;
    Operand operands[kLefts];
    for (const LinearPart& part : parts) {
      units += units_of(part);
      const Left left = product(precision, part.weight->dtype).left;
      if (operands[int(left)].data == nullptr) operands[int(left)] = prepare(rows, precision, left);
    }
    const Cut cut = cut_tasks(rows.rows, unit, units);
    pool_.run(cut.tasks(), [&](std::int64_t i, int) {
      const std::int64_t row = cut.first_row(i);
      std::int64_t first = cut.first_unit(i), end = cut.end_unit(i);
      for (const LinearPart& part : parts) {
        const std::int64_t of_part = units_of(part);
        if (first < of_part && end > 0) {
          const std::int64_t column = std::max<std::int64_t>(first, 0) * unit;
          const ProductKernel& kernel = product(precision, part.weight->dtype);
          const View out = part.out.row_range(start + row, std::min(cut.rows, rows.rows - row))
                               .col_range(column, std::min(end * unit, part.out.cols) - column);
          const float* bias = part.bias == nullptr ? nullptr : part.bias->view().data + column;
          const std::byte* next = panel_of(*part.weight, column + out.cols);
          multiply(operands[int(kernel.left)], row, *part.weight, column, kernel, out, next, part.accumulate, bias);
          for (std::int64_t r = 0; part.gelu && r < out.rows; ++r) kernels_.gelu(out.cols, out.row(r), out.row(r));
        }
        first -= of_part;
        end -= of_part;
      }
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
    const Operand operand = prepare(rows, precision, kernel.left);
    const std::int64_t unit = unit_columns(rows.rows);
    const Cut cut = cut_tasks(rows.rows, unit, (y.cols + unit - 1) / unit);
    for (Scratch& scratch : of_thread_) scratch.reserve(std::size_t(cut.rows * cut.most_columns()) * sizeof(float));
    pool_.run(cut.tasks(), [&](std::int64_t i, int thread) {
      const std::int64_t row = cut.first_row(i), column = cut.first_unit(i) * unit;
      const View out = y.row_range(start + row, std::min(cut.rows, rows.rows - row))
                           .col_range(column, std::min(cut.end_unit(i) * unit, y.cols) - column);
      const View other(reinterpret_cast<float*>(of_thread_[thread].reserve(0)), out.rows, out.cols);
      multiply(operand, row, gate, column, kernel, out, panel_of(up, column));
      multiply(operand, row, up, column, kernel, other, panel_of(gate, column + out.cols));
      for (std::int64_t r = 0; r < out.rows; ++r) kernels_.gated_gelu(out.cols, out.row(r), other.row(r), out.row(r));
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
