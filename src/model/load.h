// Brings a network's tensors from where they are into the form that a back end computes with.
#pragma once

#include "model/checkpoint.h"
#include "model/network.h"

namespace paligemma {

enum class HeldAs { as_in_file, f32, bf16, q8, q4 };

// How the tensors are held. f16 files are held as f32, which is exact, unless bf16 is asked for. Under q8 and q4
// matrices whose rows are not whole blocks are held as bf16, and under q4 those of the vision tower and the projector
// as q8: they are a seventh of a model at most. int8 wants blocks: it holds in long ones of 8 bits all that is not in
// 4, and fills up the last one of a row.
struct Holding {
  HeldAs held = HeldAs::as_in_file;
  Precision precision = Precision::f32;

  DType matrix(std::string_view name, std::int64_t cols, DType in_file) const;
  // The type that a parameter counts as where arithmetic is rounded to it.
  DType parameter(DType in_file) const;
};

// A matrix is loaded in pieces: enough rows each to keep all threads busy, few enough that source and result never both
// lie whole in memory.
constexpr std::int64_t kPieceRows = 64 * Backend::kPlaceRows;

// One tensor, and the bytes that it takes.
Weight load_tensor(const std::string& name, const Shape& shape, Weight::Form form, const TensorSource& source,
                   const Holding& holding, const NumericsProfile& numerics, Backend& backend);
std::size_t tensor_bytes(const std::string& name, const Shape& shape, Weight::Form form, DType in_file,
                         const Holding& holding, const Backend& backend);

// Bytes that the weights will take, without loading any.
std::size_t weight_bytes(const Config& config, const TensorSource& source, const Holding& holding,
                         const Backend& backend);

// Number of parameters, padding rows of the vocabulary included.
std::uint64_t parameter_count(const Config& config);

// Throws Error{model, "tensor_missing" | "tensor_shape"} that shows both shapes, Error{resource} when memory runs out.
Network load_network(const Config& config, const TensorSource& source, const Holding& holding, Backend& backend);

}  // namespace paligemma
