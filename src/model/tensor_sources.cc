#include "model/tensor_sources.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{16} << 20;

std::int64_t row_size(const std::vector<std::int64_t>& shape) {
  std::int64_t size = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) size *= shape[i];
  return size;
}

float value_at(const HostTensor& tensor, std::size_t i) {
  if (tensor.dtype == DType::f32) {
    float value;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof value, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, tensor.bytes.data() + i * sizeof bits, sizeof bits);
  return tensor.dtype == DType::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

void put(DType dtype, float value, std::byte* to) {
  if (dtype == DType::f32) {
    std::memcpy(to, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = dtype == DType::bf16 ? f32_to_bf16(value) : f32_to_f16(value);
  std::memcpy(to, &bits, sizeof bits);
}

void convert(std::string_view name, const HostTensor& from, DType dtype, std::vector<std::byte>& to) {
  const auto element = static_cast<std::size_t>(byte_size(dtype));
  const std::size_t count = from.bytes.size() / static_cast<std::size_t>(byte_size(from.dtype));
  to.resize(count * element);
  constexpr float kEndOfF16 = 65520;  // from here on f16 rounds to infinity
  for (std::size_t i = 0; i < count; ++i) {
    const float value = value_at(from, i);
    if (dtype == DType::f16 && std::abs(value) >= kEndOfF16 && std::isfinite(value))
      fail(ErrorKind::usage, "cannot_express", "cannot convert: f16 ends at 65504, tensor ", name, " holds ", value,
           ". Try: --weights bf16");
    put(dtype, value, to.data() + i * element);
  }
}

// The mean of all rows, in the tensor's type.
std::vector<std::byte> mean_row(const TensorSource& source, std::string_view name) {
  const auto shape = *source.shape(name);
  const DType dtype = source.dtype(name);
  const std::int64_t size = row_size(shape), at_once = std::max<std::int64_t>(1, kPieceBytes / 4 / size);
  std::vector<double> sums(static_cast<std::size_t>(size));
  for (std::int64_t first = 0; first < shape[0]; first += at_once) {
    const HostTensor piece = source.rows(name, first, std::min(at_once, shape[0] - first));
    for (std::size_t i = 0; i < static_cast<std::size_t>(piece.shape[0] * size); ++i)
      sums[i % sums.size()] += static_cast<double>(value_at(piece, i));
  }
  const auto element = static_cast<std::size_t>(byte_size(dtype));
  std::vector<std::byte> row(sums.size() * element);
  for (std::size_t i = 0; i < sums.size(); ++i)
    put(dtype, static_cast<float>(sums[i] / static_cast<double>(shape[0])), row.data() + i * element);
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
  TensorSource out = source;
  out.dtype = [dtype](std::string_view) { return dtype; };
  out.rows = [rows = source.rows, dtype, buffer = std::make_shared<std::vector<std::byte>>()](
                 std::string_view name, std::int64_t first, std::int64_t count) {
    HostTensor tensor = rows(name, first, count);
    if (tensor.dtype == dtype) return tensor;
    convert(name, tensor, dtype, *buffer);
    return HostTensor{dtype, std::move(tensor.shape), *buffer};
  };
  return out;
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
