#include "model/load.h"

#include <algorithm>

#include "base/blocks.h"

namespace paligemma {
namespace {

void check_shape(const std::string& name, const Shape& expected, const TensorSource& source) {
  const auto found = source.shape(name);
  if (!found)
    fail(ErrorKind::model, "tensor_missing", "cannot load the model: tensor ", name, " is missing: expected shape ",
         shape_text(expected));
  if (*found != expected)
    fail(ErrorKind::model, "tensor_shape", "cannot load the model: tensor ", name, ": expected shape ",
         shape_text(expected), ", got ", shape_text(*found));
}

// Rows to ask for at once of a matrix that may have to be widened on its way.
std::int64_t piece_rows(DType in_file, std::int64_t cols) {
  constexpr std::int64_t kWidenedBytes = std::int64_t{64} << 20;
  if (!in_blocks(in_file)) return kPieceRows;
  const std::int64_t rows = kWidenedBytes / (std::int64_t{sizeof(float)} * cols);
  return std::clamp(rows / Backend::kPlaceRows * Backend::kPlaceRows, Backend::kPlaceRows, kPieceRows);
}

// Blocks are placed as the same blocks only: for every other form they are the numbers that they stand for.
HostTensor placeable(HostTensor tensor, DType held, std::vector<float>& numbers) {
  if (!in_blocks(tensor.dtype) || tensor.dtype == held) return tensor;
  numbers.resize(tensor.elements());
  widen(tensor.bytes.data(), tensor.dtype, static_cast<std::int64_t>(numbers.size()), numbers.data());
  return {DType::f32, std::move(tensor.shape), std::as_bytes(std::span(numbers))};
}

Weight load_matrix(const std::string& name, const Shape& shape, const TensorSource& source, DType held,
                   Backend& backend) {
  const std::int64_t rows = shape[0], cols = product(shape, 1), at_once = piece_rows(source.dtype(name), cols);
  Weight weight = backend.make_matrix(rows, cols, held);
  std::vector<float> numbers;
  for (std::int64_t first = 0; first < rows; first += at_once) {
    HostTensor piece = source.rows(name, first, std::min(at_once, rows - first));
    piece.shape = {piece.shape[0], cols};
    backend.place_rows(weight, first, placeable(std::move(piece), held, numbers));
  }
  return weight;
}

Weight load_vector(const std::string& name, const Shape& shape, const TensorSource& source, Backend& backend) {
  const std::int64_t rows = shape.size() == 1 ? 1 : shape[0];
  std::vector<float> numbers;
  return backend.make_vector(placeable(source.rows(name, 0, shape[0]), DType::f32, numbers), rows, shape.back());
}

// Every vector of the decoder is an RMSNorm's w, whose gain is 1 + w.
bool is_gain(std::string_view name, Weight::Form form) {
  return form == Weight::Form::vector && name.starts_with("language_model.");
}

// w such that 1 + w in f32 is what 1 + (w of the file) is in `type`.
Weight load_rounded_gain(const std::string& name, const Shape& shape, const TensorSource& source, DType type,
                         Backend& backend) {
  const HostTensor stored = source.rows(name, 0, shape[0]);
  std::vector<float> values(static_cast<std::size_t>(shape[0]));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = round_to(type, 1 + stored.element(i)) - 1;
  return backend.make_vector({DType::f32, shape, std::as_bytes(std::span(values))}, 1, shape[0]);
}

}  // namespace

DType Holding::matrix(std::string_view name, std::int64_t cols, DType in_file) const {
  switch (held) {
    case HeldAs::f32: return DType::f32;
    case HeldAs::bf16: return DType::bf16;
    case HeldAs::q8:
    case HeldAs::q4:
      if (held == HeldAs::q4 && name.starts_with("language_model.") && cols % kQuantBlock == 0) return DType::q4;
      if (precision == Precision::int8) return DType::int8;
      return cols % kQuantBlock == 0 ? DType::q8 : DType::bf16;
    case HeldAs::as_in_file: break;
  }
  if (precision == Precision::int8) return in_file == DType::q4 ? DType::q4 : DType::int8;
  if (in_blocks(in_file)) return in_file;
  return precision == Precision::bf16 || in_file == DType::bf16 ? DType::bf16 : DType::f32;
}

DType Holding::parameter(DType in_file) const {
  switch (held) {
    case HeldAs::f32: return DType::f32;
    case HeldAs::bf16: return DType::bf16;
    default: return in_file;
  }
}

std::size_t tensor_bytes(const std::string& name, const Shape& shape, Weight::Form form, DType in_file,
                         const Holding& holding, const Backend& backend) {
  if (form != Weight::Form::matrix) return static_cast<std::size_t>(product(shape, 0)) * sizeof(float);
  const std::int64_t cols = product(shape, 1);
  return backend.matrix_bytes(shape[0], cols, holding.matrix(name, cols, in_file));
}

Weight load_tensor(const std::string& name, const Shape& shape, Weight::Form form, const TensorSource& source,
                   const Holding& holding, const NumericsProfile& numerics, Backend& backend) {
  const DType in_file = source.dtype(name);
  if (form == Weight::Form::matrix)
    return load_matrix(name, shape, source, holding.matrix(name, product(shape, 1), in_file), backend);
  if (numerics.rounds_to_parameters && is_gain(name, form))
    return load_rounded_gain(name, shape, source, result_type(holding.parameter(in_file)), backend);
  return load_vector(name, shape, source, backend);
}

std::size_t weight_bytes(const Config& config, const TensorSource& source, const Holding& holding,
                         const Backend& backend) {
  Network network(config);
  std::size_t bytes = 0;
  visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
    check_shape(name, shape, source);
    bytes += tensor_bytes(name, shape, form, source.dtype(name), holding, backend);
  });
  return bytes;
}

std::uint64_t parameter_count(const Config& config) {
  Network network(config);
  std::uint64_t count = 0;
  visit(network, config, [&](const std::string&, Weight&, const Shape& shape, Weight::Form) {
    count += static_cast<std::uint64_t>(product(shape, 0));
  });
  return count;
}

Network load_network(const Config& config, const TensorSource& source, const Holding& holding, Backend& backend) {
  Network network(config);
  visit(network, config, [&](const std::string& name, Weight& weight, const Shape& shape, Weight::Form form) {
    check_shape(name, shape, source);
    weight = load_tensor(name, shape, form, source, holding, config.numerics, backend);
    if (config.numerics.rounds_to_parameters && &weight == &network.decoder.embedding)
      network.decoder.scale_type = holding.parameter(source.dtype(name));
    source.release(name);
  });
  return network;
}

}  // namespace paligemma
