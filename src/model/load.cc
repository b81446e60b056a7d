#include "model/load.h"

#include <algorithm>

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

Weight load_matrix(const std::string& name, const Shape& shape, const TensorSource& source, DType held,
                   Backend& backend) {
  // Enough rows a piece to keep all threads busy, few enough that source and result never both lie whole in memory.
  constexpr std::int64_t kPieceRows = 64 * Backend::kPlaceRows;
  const std::int64_t rows = shape[0];
  Weight weight = backend.make_matrix(rows, product(shape, 1), held);
  for (std::int64_t first = 0; first < rows; first += kPieceRows) {
    HostTensor piece = source.rows(name, first, std::min(kPieceRows, rows - first));
    piece.shape = {piece.shape[0], product(shape, 1)};
    backend.place_rows(weight, first, piece);
  }
  return weight;
}

Weight load_vector(const std::string& name, const Shape& shape, const TensorSource& source, Backend& backend) {
  const std::int64_t rows = shape.size() == 1 ? 1 : shape[0];
  return backend.make_vector(source.rows(name, 0, shape[0]), rows, shape.back());
}

}  // namespace

DType Holding::matrix(DType in_file) const {
  switch (held) {
    case HeldAs::f32: return DType::f32;
    case HeldAs::bf16: return DType::bf16;
    case HeldAs::as_in_file: break;
  }
  return precision == Precision::bf16 || in_file == DType::bf16 ? DType::bf16 : DType::f32;
}

std::size_t tensor_bytes(const Shape& shape, Weight::Form form, DType held, const Backend& backend) {
  return form == Weight::Form::matrix ? backend.matrix_bytes(shape[0], product(shape, 1), held)
                                      : static_cast<std::size_t>(product(shape, 0)) * sizeof(float);
}

Weight load_tensor(const std::string& name, const Shape& shape, Weight::Form form, const TensorSource& source,
                   const Holding& holding, Backend& backend) {
  return form == Weight::Form::matrix ? load_matrix(name, shape, source, holding.matrix(source.dtype(name)), backend)
                                      : load_vector(name, shape, source, backend);
}

std::size_t weight_bytes(const Config& config, const TensorSource& source, const Holding& holding,
                         const Backend& backend) {
  Network network(config);
  std::size_t bytes = 0;
  visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
    check_shape(name, shape, source);
    bytes += tensor_bytes(shape, form, holding.matrix(source.dtype(name)), backend);
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
    weight = load_tensor(name, shape, form, source, holding, backend);
    source.release(name);
  });
  return network;
}

}  // namespace paligemma
