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

class OpClock final : public Backend {
 public:
  using Clock = std::chrono::steady_clock;
  // By name: "linear 260 x 2304 -> 9216".
  using Ops = std::map<std::string, OpTime>;
  // Ends where the next begins to embed its ids.
  struct Pass {
    Clock::time_point start;
    Ops ops;
  };

  // `backend` must outlive the clock.
  explicit OpClock(Backend& backend) : backend_(backend) {}

  // The passes since the last call of reset(): what comes before any ids are embedded, then one for each embed().
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
  void gelu(View x) override;
  void gated_gelu(ConstView up, View x) override;
  void affine(const Weight& scale, const Weight& offset, View x) override;
  void layer_norm(ConstView x, const Weight& weight, const Weight& bias, float eps, View y) override;
  void rms_norm(ConstView x, const Weight& weight, float eps, View y) override;
  void copy(ConstView x, View y) override;
  void add(ConstView a, View x) override;
  void rope(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) override;
  void embed(const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding, View y) override;
  void soft_cap(View x, float cap) override;
  KvCache make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size, std::int64_t blocks,
                        DType dtype) override;
  void kv_write(KvCache& cache, std::int64_t layer, ConstView k, ConstView v,
                std::span<const Sequence> sequences) override;
  void kv_copy(KvCache& cache, std::int32_t from, std::int32_t to) override;
  void attention(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                 const AttentionShape& shape, View y, Precision precision) override;

 private:
  template <class Call>
  OpTime& time(const std::string& name, const Call& call);

  Backend& backend_;
  std::vector<Pass> passes_{1};
};

}  // namespace paligemma
