// A back end that computes nothing and counts what a real one would take: for plans before a run.
#pragma once

#include <algorithm>

#include "backend/backend.h"

namespace paligemma {

class IdleBackend final : public Backend {
 public:
  explicit IdleBackend(int threads) : threads_(threads) {}

  // What a CPU's products and gradients keep beside their arguments, at most.
  std::uint64_t scratch_bytes() const { return operand_ + shared_; }
  std::uint64_t cache_bytes() const { return caches_; }

  std::string_view name() const override { return "idle"; }
  // Address space that nobody touches.
  Buffer allocate(std::size_t bytes) override;
  Weight make_matrix(std::int64_t rows, std::int64_t cols, DType dtype) override {
    return {Weight::Form::matrix, dtype, rows, cols};
  }
  void place_rows(Weight&, std::int64_t, const HostTensor&) override {}
  Weight make_vector(const HostTensor&, std::int64_t rows, std::int64_t cols) override {
    return {Weight::Form::vector, DType::f32, rows, cols};
  }
  std::size_t matrix_bytes(std::int64_t rows, std::int64_t cols, DType dtype) const override {
    return static_cast<std::size_t>(rows * row_bytes(dtype, cols));
  }

  void linear(ConstView x, std::span<const LinearPart>, Precision precision) override {
    // A right operand of f32 is multiplied as it is, but for the blocks that it is cut into.
    operand_ = std::max(operand_, static_cast<std::uint64_t>(std::min(kChunk, x.rows) * x.cols * bytes_of(precision)));
  }
  void gated_gelu(ConstView x, const Weight&, const Weight&, View, Precision precision) override {
    linear(x, {}, precision);
  }
  void gelu(ConstView, View) override {}
  void gated_gelu(ConstView, ConstView, View) override {}
  void affine(const Weight&, const Weight&, View) override {}
  void layer_norm(ConstView, const Weight&, const Weight&, float, View) override {}
  void rms_norm(ConstView, const Weight&, float, View) override {}
  void copy(ConstView, View) override {}
  void zero(View) override {}
  void add(ConstView, View) override {}
  void rope(View, std::int64_t, std::span<const Sequence>, double) override {}
  void embed(const Weight&, std::span<const std::int32_t>, float, DType, View) override {}
  void soft_cap(View, float) override {}
  void relu(View) override {}
  void repeat(const Weight&, View) override {}
  void take_patches(ConstView, const PatchShape&, View) override {}
  void add_patches(ConstView, const PatchShape&, View) override {}
  KvCache make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size, std::int64_t blocks,
                        DType dtype) override;
  void kv_write(KvCache&, std::int64_t, ConstView, ConstView, std::span<const Sequence>) override {}
  void kv_copy(KvCache&, std::int32_t, std::int32_t) override {}
  void attention(ConstView, const KvCache&, std::int64_t, std::span<const Sequence>, const AttentionShape&, View,
                 Precision) override {}

  void linear_input_gradient(ConstView dy, const Weight&, View, Precision precision, bool) override {
    linear(dy, {}, precision);
  }
  void linear_weight_gradient(ConstView dy, ConstView x, View, Precision precision) override {
    share(std::min(kChunk, x.rows) * (dy.cols + x.cols) * bytes_of(precision));
  }
  void bias_gradient(ConstView, View) override {}
  void add_scaled(ConstView, float, View) override {}
  void column_products(ConstView, ConstView, View) override {}
  void scale_columns(const Weight&, View) override {}
  void gelu_gradient(ConstView, ConstView, View) override {}
  void gated_gelu_gradient(ConstView, ConstView, ConstView, View, View) override {}
  void dropout(View, float, std::uint64_t) override {}
  void soft_cap_gradient(ConstView, float, View) override {}
  void relu_gradient(ConstView, View) override {}
  void layer_norm_gradient(ConstView, const Weight&, float, ConstView, View, View, View) override {}
  void rms_norm_gradient(ConstView, const Weight&, float, ConstView, View, View) override {}
  void rope_gradient(View, std::int64_t, std::span<const Sequence>, double) override {}
  void embed_gradient(std::span<const std::int32_t>, float, ConstView, View) override {}
  void attention_gradient(ConstView, const KvCache&, std::int64_t, std::span<const Sequence> sequences,
                          std::span<const Sequence>, const AttentionShape& shape, ConstView, View, View, View,
                          Precision) override;
  void cross_entropy(View, const CrossEntropy&, std::span<float>) override {}

 private:
  static constexpr std::int64_t kChunk = 576;  // rows of a product that are prepared at once
  static std::int64_t bytes_of(Precision precision) { return precision == Precision::f32 ? 4 : 2; }
  void share(std::int64_t bytes) { shared_ = std::max(shared_, static_cast<std::uint64_t>(bytes)); }

  std::int64_t threads_;
  std::uint64_t operand_ = 0, shared_ = 0, caches_ = 0;
};

}  // namespace paligemma
