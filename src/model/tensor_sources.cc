#include "model/tensor_sources.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "base/blocks.h"
#include "base/error.h"

namespace paligemma {
namespace {

std::int64_t row_size(const std::vector<std::int64_t>& shape) {
  std::int64_t size = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) size *= shape[i];
  return size;
}

// n numbers as `dtype`; of blocks they are rows of `cols`.
void narrow(const float* x, std::int64_t n, std::int64_t cols, DType dtype, std::byte* to) {
  if (dtype == DType::f32) {
    std::memcpy(to, x, static_cast<std::size_t>(n) * sizeof *x);
  } else if (in_blocks(dtype)) {
    for (std::int64_t i = 0; i < n; i += cols, to += row_bytes(dtype, cols)) quantize_row(x + i, cols, dtype, to);
  } else {
    for (std::int64_t i = 0; i < n; ++i, to += sizeof(std::uint16_t)) {
      const std::uint16_t bits = dtype == DType::bf16 ? f32_to_bf16(x[i]) : f32_to_f16(x[i]);
      std::memcpy(to, &bits, sizeof bits);
    }
  }
}

// Beyond f16: finite, and rounded to infinity.
bool has_no_f16(float value) {
  constexpr float kEnd = 65520;
  return std::abs(value) >= kEnd && std::isfinite(value);
}

// Pieces of tensors as another type, some rows at a time.
class Retyping {
 public:
  explicit Retyping(ThreadPool* pool) : pool_(pool) {}

  HostTensor convert(std::string_view name, HostTensor from, DType dtype) {
    if (from.dtype == dtype) return from;
    const std::int64_t cols = std::max<std::int64_t>(1, from.shape.back());
    const std::int64_t rows = static_cast<std::int64_t>(from.elements()) / cols;
    const std::int64_t in_row = row_bytes(from.dtype, cols), out_row = row_bytes(dtype, cols);
    const std::int64_t at_once = std::max<std::int64_t>(1, kAtOnce / cols);
    bytes_.resize(static_cast<std::size_t>(rows * out_row));
    numbers_.resize(static_cast<std::size_t>((pool_ ? pool_->threads() : 1) * at_once * cols));
    std::atomic<bool> too_large = false;
    const auto task = [&](std::int64_t i, int thread) {
      const std::int64_t first = i * at_once, n = std::min(at_once, rows - first) * cols;
      float* numbers = numbers_.data() + thread * at_once * cols;
      const std::byte* source = from.bytes.data() + first * in_row;
      for (std::int64_t at = 0; at < n; at += cols, source += in_row) widen(source, from.dtype, cols, numbers + at);
      if (dtype == DType::f16 && std::any_of(numbers, numbers + n, has_no_f16)) too_large = true;
      narrow(numbers, n, cols, dtype, bytes_.data() + first * out_row);
    };
    const std::int64_t tasks = (rows + at_once - 1) / at_once;
    if (pool_)
      pool_->run(tasks, task);
    else
      for (std::int64_t i = 0; i < tasks; ++i) task(i, 0);
    if (too_large) refuse(name, from);
    return {dtype, std::move(from.shape), bytes_};
  }

 private:
  static constexpr std::int64_t kAtOnce = 1 << 16;  // numbers

  [[noreturn]] static void refuse(std::string_view name, const HostTensor& from) {
    std::size_t i = 0;
    while (!has_no_f16(from.element(i))) ++i;
    fail(ErrorKind::usage, "cannot_express", "cannot convert: f16 ends at 65504, tensor ", name, " holds ",
         from.element(i), ". Try: --weights bf16");
  }

  ThreadPool* pool_;
  std::vector<float> numbers_;
  std::vector<std::byte> bytes_;
};

// The mean of all rows, in the tensor's type.
std::vector<std::byte> mean_row(const TensorSource& source, std::string_view name) {
  const auto shape = *source.shape(name);
  const DType dtype = source.dtype(name);
  const std::int64_t size = row_size(shape), at_once = std::max<std::int64_t>(1, kPieceBytes / 4 / size);
  std::vector<double> sums(static_cast<std::size_t>(size));
  for (std::int64_t first = 0; first < shape[0]; first += at_once) {
    const HostTensor piece = source.rows(name, first, std::min(at_once, shape[0] - first));
    for (std::size_t i = 0; i < static_cast<std::size_t>(piece.shape[0] * size); ++i)
      sums[i % sums.size()] += static_cast<double>(piece.element(i));
  }
  const auto element = static_cast<std::size_t>(byte_size(dtype));
  std::vector<std::byte> row(sums.size() * element);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto mean = static_cast<float>(sums[i] / static_cast<double>(shape[0]));
    narrow(&mean, 1, 1, dtype, row.data() + i * element);
  }
  return row;
}

// Rows of the vocabulary beyond those of the source.
class Extension {
 public:
  Extension(TensorSource source, std::int64_t rows) : source_(std::move(source)), rows_(rows) {}

  static bool concerns(std::string_view name) {
    return name == "language_model.model.embed_tokens.weight" || name == "lm_head.weight";
  }

  std::optional<std::vector<std::int64_t>> shape(std::string_view name) const {
    auto shape = source_.shape(name);
    if (shape && concerns(name)) shape->at(0) = rows_;
    return shape;
  }

  HostTensor rows(std::string_view name, std::int64_t first, std::int64_t count) {
    if (!concerns(name)) return source_.rows(name, first, count);
    const std::int64_t there = std::clamp<std::int64_t>((*source_.shape(name))[0] - first, 0, count);
    if (there == count) return source_.rows(name, first, count);
    if (mean_of_ != name) mean_ = mean_row(source_, name), mean_of_ = name;
    buffer_.clear();
    if (there > 0) {
      const HostTensor known = source_.rows(name, first, there);
      buffer_.assign(known.bytes.begin(), known.bytes.end());
    }
    for (std::int64_t i = there; i < count; ++i) buffer_.insert(buffer_.end(), mean_.begin(), mean_.end());
    HostTensor out{source_.dtype(name), *shape(name), buffer_};
    out.shape[0] = count;
    return out;
  }

 private:
  TensorSource source_;
  std::int64_t rows_;
  std::string mean_of_;
  std::vector<std::byte> mean_, buffer_;
};

}  // namespace

TensorSource retyped(TensorSource source, DType dtype) {
  return retyped(std::move(source), [dtype](std::string_view) { return dtype; });
}

TensorSource retyped(TensorSource source, std::function<DType(std::string_view name)> type_of, ThreadPool* pool) {
  TensorSource out = source;
  out.dtype = type_of;
  out.rows = [rows = source.rows, type_of, retyping = std::make_shared<Retyping>(pool)](
                 std::string_view name, std::int64_t first, std::int64_t count) {
    return retyping->convert(name, rows(name, first, count), type_of(name));
  };
  return out;
}

TensorSource without_blocks(TensorSource source, DType dtype) {
  return retyped(source, [dtype, type_in = source.dtype](std::string_view name) {
    const DType in_file = type_in(name);
    return in_blocks(in_file) ? dtype : in_file;
  });
}

TensorSource with_vocabulary(TensorSource source, std::int64_t rows) {
  TensorSource out = source;
  const auto extension = std::make_shared<Extension>(std::move(source), rows);
  out.shape = [extension](std::string_view name) { return extension->shape(name); };
  out.rows = [extension](std::string_view name, std::int64_t first, std::int64_t count) {
    return extension->rows(name, first, count);
  };
  return out;
}

StreamedArray streamed(const TensorSource& source, const std::string& name) {
  StreamedArray out{.name = name, .dtype = source.dtype(name), .shape = *source.shape(name)};
  const std::int64_t rows = out.shape[0];
  const std::int64_t at_once = std::max<std::int64_t>(1, kPieceBytes / 4 / row_size(out.shape));
  out.pieces = static_cast<std::size_t>((rows + at_once - 1) / at_once);
  out.piece = [&source, name, rows, at_once](std::size_t i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * at_once;
    return source.rows(name, first, std::min(at_once, rows - first)).bytes;
  };
  out.done = [&source, name] { source.release(name); };
  return out;
}

}  // namespace paligemma
