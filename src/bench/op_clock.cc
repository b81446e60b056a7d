#include "bench/op_clock.h"

#include "base/error.h"

namespace paligemma {
namespace {

std::string sized(const char* operation, ConstView x) { return join(operation, " ", x.rows, " x ", x.cols); }

// Pairs of a row and a key that it sees.
double pairs_of(std::span<const Sequence> sequences, const AttentionShape& shape) {
  double pairs = 0;
  for (const Sequence& s : sequences)
    for (std::int64_t p = s.position; p < s.position + s.rows; ++p)
      pairs += static_cast<double>(s.visible(p) - s.first_visible(p, shape.window));
  return pairs;
}

}  // namespace

void add_ops(const OpClock::Ops& more, OpClock::Ops& sum) {
  for (const auto& [name, op] : more) {
    OpTime& total = sum[name];
    total.calls += op.calls;
    total.seconds += op.seconds;
    total.work.gflop += op.work.gflop;
    total.work.gb += op.work.gb;
  }
}

template <class Call>
OpTime& OpClock::time(const std::string& name, const Call& call) {
  OpTime& op = passes_.back().ops[name];
  const auto start = Clock::now();
  call();
  op.seconds += std::chrono::duration<double>(Clock::now() - start).count();
  ++op.calls;
  return op;
}

Weight OpClock::make_matrix(std::int64_t rows, std::int64_t cols, DType dtype) {
  return backend_.make_matrix(rows, cols, dtype);
}

void OpClock::place_rows(Weight& matrix, std::int64_t first_row, const HostTensor& rows) {
  backend_.place_rows(matrix, first_row, rows);
}

Weight OpClock::make_vector(const HostTensor& values, std::int64_t rows, std::int64_t cols) {
  return backend_.make_vector(values, rows, cols);
}

std::size_t OpClock::matrix_bytes(std::int64_t rows, std::int64_t cols, DType dtype) const {
  return backend_.matrix_bytes(rows, cols, dtype);
}

void OpClock::linear(ConstView x, std::span<const LinearPart> parts, Precision precision) {
  std::int64_t columns = 0;
  double bytes = 0;
  for (const LinearPart& part : parts) {
    columns += part.out.cols;
    bytes += static_cast<double>(part.weight->bytes);
  }
  OpTime& op = time(join(sized("linear", x), " -> ", columns), [&] { backend_.linear(x, parts, precision); });
  op.work.gflop += 2e-9 * static_cast<double>(x.rows * x.cols * columns);
  op.work.gb += 1e-9 * bytes;
}

void OpClock::gated_gelu(ConstView x, const Weight& gate, const Weight& up, View y, Precision precision) {
  OpTime& op =
      time(join(sized("gated_gelu", x), " -> 2 x ", y.cols), [&] { backend_.gated_gelu(x, gate, up, y, precision); });
  op.work.gflop += 4e-9 * static_cast<double>(x.rows * x.cols * y.cols);
  op.work.gb += 1e-9 * static_cast<double>(gate.bytes + up.bytes);
}

void OpClock::gelu(ConstView x, View y) {
  time(sized("gelu", x), [&] { backend_.gelu(x, y); });
}

void OpClock::gated_gelu(ConstView gate, ConstView up, View y) {
  time(sized("gated_gelu", y), [&] { backend_.gated_gelu(gate, up, y); });
}

void OpClock::affine(const Weight& scale, const Weight& offset, View x) {
  time(sized("affine", x), [&] { backend_.affine(scale, offset, x); });
}

void OpClock::layer_norm(ConstView x, const Weight& weight, const Weight& bias, float eps, View y) {
  time(sized("layer_norm", x), [&] { backend_.layer_norm(x, weight, bias, eps, y); });
}

void OpClock::rms_norm(ConstView x, const Weight& weight, float eps, View y) {
  time(sized("rms_norm", x), [&] { backend_.rms_norm(x, weight, eps, y); });
}

void OpClock::copy(ConstView x, View y) {
  time(sized("copy", x), [&] { backend_.copy(x, y); });
}

void OpClock::zero(View x) {
  time(sized("zero", x), [&] { backend_.zero(x); });
}

void OpClock::add(ConstView a, View x) {
  time(sized("add", x), [&] { backend_.add(a, x); });
}

void OpClock::rope(View x, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  time(sized("rope", x), [&] { backend_.rope(x, heads, sequences, theta); });
}

void OpClock::embed(const Weight& table, std::span<const std::int32_t> ids, float scale, DType rounding, View y) {
  passes_.push_back({Clock::now(), {}});
  time(sized("embed", y), [&] { backend_.embed(table, ids, scale, rounding, y); });
}

void OpClock::soft_cap(View x, float cap) {
  time(sized("soft_cap", x), [&] { backend_.soft_cap(x, cap); });
}

void OpClock::relu(View x) {
  time(sized("relu", x), [&] { backend_.relu(x); });
}

void OpClock::repeat(const Weight& vector, View y) {
  time(sized("repeat", y), [&] { backend_.repeat(vector, y); });
}

void OpClock::take_patches(ConstView maps, const PatchShape& shape, View patches) {
  time(sized("take_patches", patches), [&] { backend_.take_patches(maps, shape, patches); });
}

void OpClock::add_patches(ConstView patches, const PatchShape& shape, View maps) {
  time(sized("add_patches", patches), [&] { backend_.add_patches(patches, shape, maps); });
}

KvCache OpClock::make_kv_cache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_size, std::int64_t blocks,
                               DType dtype) {
  return backend_.make_kv_cache(layers, kv_heads, head_size, blocks, dtype);
}

void OpClock::kv_write(KvCache& cache, std::int64_t layer, ConstView k, ConstView v,
                       std::span<const Sequence> sequences) {
  time(sized("kv_write", k), [&] { backend_.kv_write(cache, layer, k, v, sequences); });
}

void OpClock::kv_copy(KvCache& cache, std::int32_t from, std::int32_t to) {
  time("kv_copy", [&] { backend_.kv_copy(cache, from, to); });
}

void OpClock::attention(ConstView q, const KvCache& cache, std::int64_t layer, std::span<const Sequence> sequences,
                        const AttentionShape& shape, View y, Precision precision) {
  OpTime& op =
      time(sized("attention", q), [&] { backend_.attention(q, cache, layer, sequences, shape, y, precision); });
  double keys = 0;
  for (const Sequence& sequence : sequences)
    keys += static_cast<double>(sequence.visible(sequence.position + sequence.rows - 1));
  op.work.gflop += 4e-9 * pairs_of(sequences, shape) * static_cast<double>(shape.heads * shape.head_size);
  op.work.gb += 2e-9 * keys * static_cast<double>(shape.kv_heads * shape.head_size * byte_size(cache.dtype));
}

void OpClock::linear_input_gradient(ConstView dy, const Weight& weight, View dx, Precision precision, bool accumulate) {
  OpTime& op = time(join(sized("linear_input_gradient", dy), " -> ", dx.cols),
                    [&] { backend_.linear_input_gradient(dy, weight, dx, precision, accumulate); });
  op.work.gflop += 2e-9 * static_cast<double>(dy.rows * dy.cols * dx.cols);
  op.work.gb += 1e-9 * static_cast<double>(weight.bytes);
}

void OpClock::linear_weight_gradient(ConstView dy, ConstView x, View dweight, Precision precision) {
  OpTime& op = time(join("linear_weight_gradient ", dy.rows, ": ", dy.cols, " x ", x.cols),
                    [&] { backend_.linear_weight_gradient(dy, x, dweight, precision); });
  op.work.gflop += 2e-9 * static_cast<double>(dy.rows * dy.cols * x.cols);
}

void OpClock::bias_gradient(ConstView dy, View dbias) {
  time(sized("bias_gradient", dy), [&] { backend_.bias_gradient(dy, dbias); });
}

void OpClock::add_scaled(ConstView dy, float factor, View dx) {
  time(sized("add_scaled", dy), [&] { backend_.add_scaled(dy, factor, dx); });
}

void OpClock::column_products(ConstView a, ConstView b, View sums) {
  time(sized("column_products", a), [&] { backend_.column_products(a, b, sums); });
}

void OpClock::scale_columns(const Weight& scale, View dx) {
  time(sized("scale_columns", dx), [&] { backend_.scale_columns(scale, dx); });
}

void OpClock::gelu_gradient(ConstView x, ConstView dy, View dx) {
  time(sized("gelu_gradient", x), [&] { backend_.gelu_gradient(x, dy, dx); });
}

void OpClock::gated_gelu_gradient(ConstView gate, ConstView up, ConstView dy, View dgate, View dup) {
  time(sized("gated_gelu_gradient", dy), [&] { backend_.gated_gelu_gradient(gate, up, dy, dgate, dup); });
}

void OpClock::dropout(View x, float rate, std::uint64_t seed) {
  time(sized("dropout", x), [&] { backend_.dropout(x, rate, seed); });
}

void OpClock::soft_cap_gradient(ConstView y, float cap, View dx) {
  time(sized("soft_cap_gradient", y), [&] { backend_.soft_cap_gradient(y, cap, dx); });
}

void OpClock::relu_gradient(ConstView y, View dx) {
  time(sized("relu_gradient", y), [&] { backend_.relu_gradient(y, dx); });
}

void OpClock::layer_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight,
                                  View dbias) {
  time(sized("layer_norm_gradient", x), [&] { backend_.layer_norm_gradient(x, weight, eps, dy, dx, dweight, dbias); });
}

void OpClock::rms_norm_gradient(ConstView x, const Weight& weight, float eps, ConstView dy, View dx, View dweight) {
  time(sized("rms_norm_gradient", x), [&] { backend_.rms_norm_gradient(x, weight, eps, dy, dx, dweight); });
}

void OpClock::rope_gradient(View dx, std::int64_t heads, std::span<const Sequence> sequences, double theta) {
  time(sized("rope_gradient", dx), [&] { backend_.rope_gradient(dx, heads, sequences, theta); });
}

void OpClock::embed_gradient(std::span<const std::int32_t> ids, float scale, ConstView dy, View dtable) {
  time(sized("embed_gradient", dy), [&] { backend_.embed_gradient(ids, scale, dy, dtable); });
}

void OpClock::attention_gradient(ConstView q, const KvCache& cache, std::int64_t layer,
                                 std::span<const Sequence> sequences, std::span<const Sequence> keys,
                                 const AttentionShape& shape, ConstView dy, View dq, View dk, View dv,
                                 Precision precision) {
  OpTime& op = time(sized("attention_gradient", q), [&] {
    backend_.attention_gradient(q, cache, layer, sequences, keys, shape, dy, dq, dk, dv, precision);
  });
  op.work.gflop += 10e-9 * pairs_of(sequences, shape) * static_cast<double>(shape.heads * shape.head_size);
}

void OpClock::cross_entropy(View logits, const CrossEntropy& of, std::span<float> losses) {
  time(sized("cross_entropy", logits), [&] { backend_.cross_entropy(logits, of, losses); });
  passes_.push_back({Clock::now(), {}});
}

}  // namespace paligemma
