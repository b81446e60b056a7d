// What convolutions move about: patches of square maps, there and back. A map is the work of one thread, so that what
// its positions are added up of comes in their order.
#include <algorithm>

#include "backend/cpu/cpu_backend.h"

namespace paligemma {
namespace {

void check_patches(ConstView maps, const PatchShape& shape, ConstView patches, const char* operation) {
  const std::int64_t count = maps.rows / std::max<std::int64_t>(shape.side * shape.side, 1);
  check_shape(maps.rows == count * shape.side * shape.side && patches.rows == count * shape.out * shape.out &&
                  patches.cols == shape.kernel * shape.kernel * maps.cols && maps.stride == maps.cols,
              operation, ": expected patches (", count * shape.out * shape.out, ", ",
              shape.kernel * shape.kernel * maps.cols, "), got (", patches.rows, ", ", patches.cols, ")");
}

// Calls run(position, patch, columns) for each row of the kernel at each position that lies on map `map`: `columns` of
// its columns do, which begin at row `position` of the maps and at column `patch` of the kernel's columns, counted row
// by row.
template <class Run>
void for_runs(const PatchShape& shape, std::int64_t map, std::int64_t y, std::int64_t x, Run run) {
  const std::int64_t left = x * shape.stride - shape.before;
  const std::int64_t first = std::max<std::int64_t>(-left, 0), last = std::min(shape.kernel, shape.side - left);
  for (std::int64_t k = 0; k < shape.kernel && first < last; ++k) {
    const std::int64_t row = y * shape.stride - shape.before + k;
    if (row >= 0 && row < shape.side)
      run((map * shape.side + row) * shape.side + left + first, k * shape.kernel + first, last - first);
  }
}

}  // namespace

void CpuBackend::take_patches(ConstView maps, const PatchShape& shape, View patches) {
  check_patches(maps, shape, patches, "take_patches");
  const std::int64_t positions = shape.out * shape.out;
  for_rows(patches.rows, patches.cols, [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t r = begin; r < begin + count; ++r) {
      float* patch = patches.row(r);
      std::fill_n(patch, patches.cols, 0.0f);
      for_runs(shape, r / positions, r % positions / shape.out, r % shape.out,
               [&](std::int64_t position, std::int64_t at, std::int64_t columns) {
                 std::copy_n(maps.row(position), columns * maps.cols, patch + at * maps.cols);
               });
    }
  });
}

void CpuBackend::add_patches(ConstView patches, const PatchShape& shape, View maps) {
  check_patches(maps, shape, patches, "add_patches");
  const std::int64_t positions = shape.out * shape.out;
  for_rows(patches.rows / std::max<std::int64_t>(positions, 1), positions * patches.cols,
           [&](std::int64_t begin, std::int64_t count) {
             for (std::int64_t r = begin * positions; r < (begin + count) * positions; ++r)
               for_runs(shape, r / positions, r % positions / shape.out, r % shape.out,
                        [&](std::int64_t position, std::int64_t at, std::int64_t columns) {
                          kernels_.add(columns * maps.cols, patches.row(r) + at * maps.cols, maps.row(position));
                        });
           });
}

void CpuBackend::repeat(const Weight& vector, View y) {
  check_shape(vector.form == Weight::Form::vector && vector.cols == y.cols, "repeat: expected a vector of ", y.cols,
              ", got ", vector.cols);
  for_rows(y.rows, y.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) std::copy_n(vector.view().data, y.cols, y.row(r));
  });
}

void CpuBackend::relu(View x) {
  for_rows(x.rows, x.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r)
      for (float *at = x.row(r), *end = at + x.cols; at < end; ++at) *at = *at > 0 ? *at : 0;
  });
}

void CpuBackend::relu_gradient(ConstView y, View dx) {
  check_same(y, dx, "relu_gradient");
  for_rows(dx.rows, dx.cols, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      const float* value = y.row(r);
      float* gradient = dx.row(r);
      for (std::int64_t i = 0; i < dx.cols; ++i) gradient[i] = value[i] > 0 ? gradient[i] : 0;
    }
  });
}

}  // namespace paligemma
