// A back end that does what another does and keeps the time of each kind of call.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "backend/backend.h"
#include "bench/work.h"

namespace paligemma {

// Calls of one function with one shape.
struct OpTime {
  std::int64_t calls = 0;
  double seconds = 0;
  Work work;  // weights are read once a call
};

// Adds the calls of `more`, kind by kind.
void add_ops(const std::map<std::string, OpTime>& more, std::map<std::string, OpTime>& sum);

class OpClock final : public Backend {
 public:
  using Clock = std::chrono::steady_clock;
  // By name: "linear 260 x 2304 -> 9216".
  using Ops = std::map<std::string, OpTime>;
  // Ends where the next begins to embed its ids, and behind a cross entropy.
  struct Pass {
    Clock::time_point start;
    Ops ops;
  };

  // `backend` must outlive the clock.
  explicit OpClock(Backend& backend) : backend_(backend) {}

  // The passes since the last call of reset(): what comes before any ids are embedded, then one from each embed() and
  // each cross_entropy() on.
  const std::vector<Pass>& passes() const { return passes_; }
  void reset() { passes_.assign(1, {Clock::now(), {}}); }

  std::string_view name() const override { return backend_.name(); }
  Buffer allocate(std::size_t bytes) override { return backend_.allocate(bytes); }
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
  template <class Call>
  OpTime& time(const std::string& name, const Call& call);

  Backend& backend_;
  std::vector<Pass> passes_{1};
};

}  // namespace paligemma
