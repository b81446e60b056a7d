#include "model/merge.h"

#include <algorithm>
#include <cmath>

#include "model/load.h"

namespace paligemma {
namespace {

HostTensor host_tensor(const std::vector<float>& values, Shape shape) {
  return {DType::f32, std::move(shape), std::as_bytes(std::span(values))};
}

// Gives rows of W + factor B A, a few at a time: the product is the back end's, with B as activations and A^T as
// weight.
class LowRankRows {
 public:
  LowRankRows(const LowRankTensors& change, bool table, Backend& backend)
      : backend_(backend), arena_(backend), rank_(change.rank()) {
    // Of a table B A stands transposed.
    left_ = table ? transposed(change.a) : to_f32(change.b);
    for (float& value : left_) value = static_cast<float>(static_cast<double>(value) * change.factor);
    const std::vector<float> right = table ? to_f32(change.b) : transposed(change.a);
    const std::int64_t width = static_cast<std::int64_t>(right.size()) / rank_;
    right_ = backend.make_matrix(width, rank_, DType::f32);
    backend.place_rows(right_, 0, host_tensor(right, {width, rank_}));
  }

  // Adds rows [first, first + count) of factor B A to `out` (count, K).
  void add(std::int64_t first, std::int64_t count, std::span<float> out) {
    for (std::int64_t row = 0; row < count; row += kRows) {
      const ArenaScope scope(arena_);
      const std::int64_t rows = std::min(kRows, count - row);
      const LinearPart part{&right_, nullptr, arena_.rows(rows, right_.rows)};
      backend_.linear({left_.data() + (first + row) * rank_, rows, rank_}, {&part, 1}, Precision::f32);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < right_.rows; ++c)
          out[static_cast<std::size_t>((row + r) * right_.rows + c)] += part.out.row(r)[c];
    }
  }

  // What one takes at most, with the rows that loading asks for at once.
  static std::uint64_t bytes(const LowRankTensors& change, bool table, const Backend& backend) {
    const std::int64_t out = change.b.shape[0], in = change.a.shape[1], rank = change.rank();
    const std::int64_t rows = table ? in : out, width = table ? out : in;
    const std::int64_t floats = (rows + width) * rank + std::min(kPieceRows, rows) * width;
    const auto product = static_cast<std::uint64_t>(kRows * width) * sizeof(float);
    return static_cast<std::uint64_t>(floats) * sizeof(float) + backend.matrix_bytes(width, rank, DType::f32) +
           std::max<std::uint64_t>(product, Arena::kChunkBytes);
  }

 private:
  static constexpr std::int64_t kRows = 64;

  Backend& backend_;
  Arena arena_;
  std::int64_t rank_;
  std::vector<float> left_;  // (N, r)
  Weight right_;             // (K, r)
};

// |row| of a (rows, K) matrix, in double: many small squares.
double length_of(std::span<const float> values, std::int64_t row, std::int64_t width) {
  double sum = 0;
  for (const float value : values.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width)))
    sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

[[noreturn]] void cannot_merge(const Adapter& adapter, std::string_view why) {
  fail(ErrorKind::model, "adapter_merge", "cannot merge the adapter: ", adapter.name, ": ", why,
       ". Try: use it without merging");
}

void check_mergeable(const Adapter& adapter) {
  if (adapter.tied_head) {
    const auto table = adapter.replaced.find(kEmbeddingName), head = adapter.replaced.find(kHeadName);
    const bool one_content =
        (table == adapter.replaced.end()) == (head == adapter.replaced.end()) &&
        (table == adapter.replaced.end() || table->second.bytes.data() == head->second.bytes.data());
    if (!one_content || !adapter.tables.empty() || adapter.products.contains(kHeadName))
      cannot_merge(adapter, "it changes the embedding as a table or as the head alone, and the model has one for both");
  }
  for (const auto& [name, change] : adapter.products)
    if (change.bias && !change.layer_has_bias)
      cannot_merge(adapter, join("it has a bias for ", name, ", the model none"));
}

// Tensors of an adapter over those of a model, one at a time.
class Merging {
 public:
  Merging(TensorSource base, const Adapter& adapter, Backend& backend)
      : base_(std::move(base)), adapter_(adapter), backend_(backend) {
    for (const auto& [name, change] : adapter.products)
      if (change.bias) biases_.emplace(bias_name(name), &change);
  }

  DType dtype(std::string_view name) const {
    const auto replaced = adapter_.replaced.find(name);
    return replaced == adapter_.replaced.end() ? base_.dtype(name) : replaced->second.dtype;
  }

  HostTensor rows(std::string_view name, std::int64_t first, std::int64_t count) {
    HostTensor from = own_rows(name, first, count);
    if (const auto bias = biases_.find(name); bias != biases_.end()) {
      values_ = to_f32(from);
      const std::vector<float> added = to_f32(*bias->second->bias, bias->second->factor);
      for (std::size_t i = 0; i < values_.size(); ++i) values_[i] += added[static_cast<std::size_t>(first) + i];
      return host_tensor(values_, from.shape);
    }
    const auto product = adapter_.products.find(name), table = adapter_.tables.find(name);
    const bool is_table = table != adapter_.tables.end();
    if (product == adapter_.products.end() && !is_table) return from;
    const LowRankTensors& change = is_table ? table->second : product->second;
    if (name != current_) low_rank_.emplace(change, is_table, backend_), current_ = name;
    values_ = std::vector<float>();  // or the last piece and this one would both be there
    values_ = to_f32(from);
    low_rank_->add(first, count, values_);
    if (change.magnitude) scale_rows(*change.magnitude, first, count);
    return host_tensor(values_, from.shape);
  }

  void release(std::string_view name) {
    if (name == current_) low_rank_.reset(), current_.clear(), values_ = std::vector<float>();
    if (!adapter_.replaced.contains(name)) base_.release(name);
  }

 private:
  HostTensor own_rows(std::string_view name, std::int64_t first, std::int64_t count) {
    const auto replaced = adapter_.replaced.find(name);
    if (replaced == adapter_.replaced.end()) return base_.rows(name, first, count);
    return replaced->second.rows(first, count);
  }

  void scale_rows(const HostTensor& magnitude, std::int64_t first, std::int64_t count) {
    const std::int64_t width = static_cast<std::int64_t>(values_.size()) / count;
    for (std::int64_t row = 0; row < count; ++row) {
      const double scale = static_cast<double>(magnitude.element(static_cast<std::size_t>(first + row))) /
                           length_of(values_, row, width);
      for (std::int64_t c = 0; c < width; ++c) {
        float& value = values_[static_cast<std::size_t>(row * width + c)];
        value = static_cast<float>(static_cast<double>(value) * scale);
      }
    }
  }

  TensorSource base_;
  const Adapter& adapter_;
  Backend& backend_;
  Adapter::ByName<const LowRankTensors*> biases_;
  std::string current_;  // the weight that low_rank_ is of
  std::optional<LowRankRows> low_rank_;
  std::vector<float> values_;
};

}  // namespace

std::vector<float> to_f32(const HostTensor& tensor, double factor) {
  std::vector<float> out(tensor.elements());
  widen(tensor.bytes.data(), tensor.dtype, static_cast<std::int64_t>(out.size()), out.data());
  if (factor != 1)
    for (float& value : out) value = static_cast<float>(static_cast<double>(value) * factor);
  return out;
}

std::vector<float> transposed(const HostTensor& matrix) {
  const auto rows = static_cast<std::size_t>(matrix.shape[0]), cols = static_cast<std::size_t>(matrix.shape[1]);
  std::vector<float> out(rows * cols);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < cols; ++c) out[c * rows + r] = matrix.element(r * cols + c);
  return out;
}

std::vector<float> dora_scale(const std::string& name, const LowRankTensors& change, const TensorSource& base,
                              Backend& backend) {
  constexpr std::int64_t kRows = 256;
  LowRankRows low_rank(change, false, backend);
  std::vector<float> scale = to_f32(*change.magnitude);
  const auto rows = static_cast<std::int64_t>(scale.size());
  const std::int64_t width = change.a.shape[1];
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t count = std::min(kRows, rows - first);
    std::vector<float> values = to_f32(base.rows(name, first, count));
    low_rank.add(first, count, values);
    for (std::int64_t row = 0; row < count; ++row) {
      float& value = scale[static_cast<std::size_t>(first + row)];
      value = static_cast<float>(static_cast<double>(value) / length_of(values, row, width));
    }
  }
  return scale;
}

std::uint64_t merging_bytes(const Adapter& adapter, const Backend& backend) {
  std::uint64_t most = 0;
  for (const auto& [name, change] : adapter.products) most = std::max(most, LowRankRows::bytes(change, false, backend));
  for (const auto& [name, change] : adapter.tables) most = std::max(most, LowRankRows::bytes(change, true, backend));
  return most;
}

TensorSource merged(TensorSource base, const Adapter& adapter, Backend& backend) {
  check_mergeable(adapter);
  const auto shape = base.shape;
  const auto merging = std::make_shared<Merging>(std::move(base), adapter, backend);
  return {.shape = shape,
          .dtype = [merging](std::string_view name) { return merging->dtype(name); },
          .rows = [merging](std::string_view name, std::int64_t first,
                            std::int64_t count) { return merging->rows(name, first, count); },
          .release = [merging](std::string_view name) { merging->release(name); }};
}

}  // namespace paligemma
