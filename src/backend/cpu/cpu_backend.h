// The CPU behind the outer waist. Cuts whole-tensor functions into tasks for the threads, and those into kernel calls.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels.h"
#include "base/error.h"
#include "base/thread_pool.h"

namespace paligemma {

// Memory that grows to the most that was asked for and is used again by every call.
class Scratch {
 public:
  // Contents are undefined. The address is valid until the next reserve.
  std::byte* reserve(std::size_t bytes);

 private:
  Buffer buffer_{nullptr, [](std::byte*) {}};
  std::size_t bytes_ = 0;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads);

  std::string_view name() const override { return name_; }
  Buffer allocate(std::size_t bytes) override;

  Weight make_matrix(std::int64_t rows, std::int64_t cols, DType dtype) override;
  void place_rows(Weight& matrix, std::int64_t first_row, const HostTensor& rows) override;
  Weight make_vector(const HostTensor& values, std::int64_t rows, std::int64_t cols) override;
  std::size_t matrix_bytes(std::int64_t rows, std::int64_t cols, DType dtype) const override;

  void linear(ConstView x, std::span<const LinearPart> parts, Precision precision) override;
  void gated_gelu(ConstView x, const Weight& gate, const Weight& up, View y, Precision precision) override;
  void gelu(ConstView x, View y) override;
  void gated_gelu(ConstView gate, ConstView up, View y) override;
  void affine(const Weight& scale, const Weight& offset, View x) override;
  void layer_norm(ConstView x, const Weight& weight, const Weight& bias, float eps, View y) override;
  void rms_norm(ConstView x, const Weight& weight, float eps, View y) override;
  void copy(ConstView x, View y) override;
  void zero(View x) override;
  void add(ConstView a, View x) override;
  void rope(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) override;
  void embed(const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding, View y) override;
  void soft_cap(View x, float cap) override;
  void relu(View x) override;
  void repeat(const Weight& vector, View y) override;
  void take_patches(ConstView maps, const PatchShape& shape, View patches) override;
  void add_patches(ConstView patches, const PatchShape& shape, View maps) override;

  KvCache make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size, std::int64_t blocks,
                        DType dtype) override;
  void kv_write(KvCache& cache, std::int64_t layer, ConstView k, ConstView v,
                std::span<const Sequence> sequences) override;
  void kv_copy(KvCache& cache, std::int32_t from, std::int32_t to) override;
  void attention(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                 const AttentionShape& shape, View y, Precision precision) override;

  void linear_input_gradient(ConstView dy, const Weight& weight, View dx, Precision precision,
                             bool accumulate) override;
  void linear_weight_gradient(ConstView dy, ConstView x, View dweight, Precision precision) override;
  void bias_gradient(ConstView dy, View dbias) override;
  void add_scaled(ConstView dy, float factor, View dx) override;
  void column_products(ConstView a, ConstView b, View sums) override;
  void scale_columns(const Weight& scale, View dx) override;
  void gelu_gradient(ConstView x, ConstView dy, View dx) override;
  void gated_gelu_gradient(ConstView gate, ConstView up, ConstView dy, View dgate, View dup) override;
  void dropout(View x, float rate, std::uint64_t seed) override;
  void soft_cap_gradient(ConstView y, float cap, View dx) override;
  void relu_gradient(ConstView y, View dx) override;
  void layer_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight,
                           View dbias) override;
  void rms_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight) override;
  void rope_gradient(View dx, std::int64_t heads, std::span<const Sequence> sequences, double theta) override;
  void embed_gradient(std::span<const std::int32_t> ids, float scale, ConstView dy, View dtable) override;
  void attention_gradient(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                          std::span<const Sequence> keys, const AttentionShape& shape, ConstView dy, View dq, View dk,
                          View dv, Precision precision) override;
  void cross_entropy(View logits, const CrossEntropy& of, std::span<float> losses) override;

 private:
  // The left operand of products, in blocks of k: [K / k_block][rows][stride] elements, k_block of them there. Integers
  // have a scale and a sum for each block_length(left) of a row, which make k whole.
  struct Operand {
    const std::byte* data = nullptr;
    std::ptrdiff_t stride = 0;
    std::int64_t rows = 0, k = 0, k_block = 0;
    Left left = Left::f32;
    const float* scales = nullptr;       // of integers
    const std::int32_t* sums = nullptr;  // of integers

    std::int64_t element_bytes() const { return left == Left::f32 ? 4 : in_bytes(left) ? 1 : 2; }
  };
  // How a product is cut into tasks: `blocks` of at most `rows` rows times `groups` of columns, which are as equal as
  // whole `unit`s allow. Threads that take tasks in turns go each through neighbouring groups, one of the `runs`: what
  // they fetch ahead is their own, and larger and smaller groups are shared fairly.
  struct Cut {
    std::int64_t rows = 0, blocks = 0;
    std::int64_t unit = 0, units = 0, groups = 0, runs = 1;

    std::int64_t tasks() const { return blocks * groups; }
    std::int64_t first_row(std::int64_t task) const { return task % blocks * rows; }
    std::int64_t group(std::int64_t task) const {
      const std::int64_t turn = task / blocks;
      return turn % runs * (groups / runs) + turn / runs;
    }
    std::int64_t first_unit(std::int64_t task) const { return units * group(task) / groups; }
    std::int64_t end_unit(std::int64_t task) const { return units * (group(task) + 1) / groups; }
    std::int64_t most_columns() const { return (units + groups - 1) / groups * unit; }
  };

  const ProductKernel& product(Precision precision, DType weights) const {
    constexpr int kColumn[] = {0, 1, 0, 2, 3, 4};  // f16 is held as f32
    return kernels_.product[int(precision)][kColumn[int(weights)]];
  }
  // Calls body(first, count) on ranges that cover [0, rows), `work` elements each row, on all threads if it is worth
  // it.
  template <class Body>
  void for_rows(std::int64_t rows, std::int64_t work, Body body);
  // The same for columns, which a sum over rows is cut along; `work` elements each column.
  template <class Body>
  void for_columns(std::int64_t cols, std::int64_t work, Body body);
  template <class Kernel>
  void norm_gradient(Kernel one_row, ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight);
  template <class Turn>
  void turn_rows(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta, Turn turn);

  std::int64_t unit_columns(std::int64_t rows) const;
  Cut cut_tasks(std::int64_t rows, std::int64_t unit, std::int64_t units) const;
  Operand prepare(ConstView x, Precision precision, Left left);
  void multiply(const Operand& x, std::int64_t first, const Weight& weight, std::int64_t column,
                const ProductKernel& kernel, View out, const std::byte* next, bool accumulate = false,
                const float* bias = nullptr) const;
  // cpu_narrow.cc: `inner` and `columns` are the sides of the matrix.
  bool is_narrow(std::int64_t inner, std::int64_t columns, Precision precision, DType type) const;
  void narrow_product(ConstView x, const std::byte* panels, std::int64_t stride, const float* bias, View out,
                      bool accumulate);
  void narrow_input_gradient(ConstView dy, const Weight& weight, View dx, bool accumulate);
  void narrow_weight_gradient(ConstView narrow, ConstView wide, View sums, bool turned);
  void find_angles(std::span<const Sequence> sequences, std::int64_t rows, std::int64_t half, double theta);

  Kernels kernels_;
  std::string name_;
  ThreadPool pool_;
  Scratch operands_[kLefts];  // by Left
  std::vector<Scratch> of_thread_;
  Scratch shared_;  // between the phases of one call
  // Cosines and sines of the last rope, [rows][2][half], kept since q and k of all layers ask for the same.
  std::vector<float> angles_;
  std::vector<std::int64_t> angle_positions_;
  double angle_theta_ = 0;
  std::int64_t angle_half_ = 0;
};

// The caller's mistake, said before a kernel reads past the end of anything.
template <class... Parts>
void check_shape(bool holds, const Parts&... parts) {
  if (!holds) fail(ErrorKind::failure, "shape", parts...);
}

inline void check_same(ConstView a, ConstView b, const char* operation) {
  check_shape(a.rows == b.rows && a.cols == b.cols, operation, ": expected (", b.rows, ", ", b.cols, "), got (", a.rows,
              ", ", a.cols, ")");
}

template <class Body>
void CpuBackend::for_rows(std::int64_t rows, std::int64_t work, Body body) {
  constexpr std::int64_t kWorthATask = 16384;
  const std::int64_t count = std::max<std::int64_t>(1, kWorthATask / std::max<std::int64_t>(1, work));
  pool_.run((rows + count - 1) / count,
            [&](std::int64_t i, int) { body(i * count, std::min(count, rows - i * count)); });
}

template <class Body>
void CpuBackend::for_columns(std::int64_t cols, std::int64_t work, Body body) {
  constexpr std::int64_t kLine = 16;  // floats: no two threads write to one
  constexpr std::int64_t kWorthATask = 16384;
  // Few tasks: parts of rows are read as long as may be.
  const std::int64_t lines = (cols + kLine - 1) / kLine, most = lines * kLine * work / kWorthATask + 1;
  const std::int64_t tasks = std::min({lines, most, std::int64_t{pool_.threads()}});
  pool_.run(tasks, [&](std::int64_t i, int) {
    const std::int64_t first = lines * i / tasks * kLine, end = std::min(cols, lines * (i + 1) / tasks * kLine);
    body(first, end - first);
  });
}

}  // namespace paligemma
