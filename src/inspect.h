// What a checkpoint holds, without loading it: for `paligemma inspect`.
#pragma once

#include <string>
#include <vector>

#include "io/json.h"
#include "pipeline.h"

namespace paligemma {

struct InspectedTensor {
  std::string name;  // as written in the file
  std::vector<std::int64_t> shape;
  std::string dtype;
  std::vector<std::string> meaning;  // the tensors of the network that it holds, * for a layer's number
  std::uint64_t not_finite = 0;      // values that are NaN or infinite
  std::string note{};                // why a matrix of a quantised model is not quantised

  bool used() const { return !meaning.empty(); }
};

struct Inspection {
  Form form = Form::hugging_face;
  ModelInfo info;
  Config config;
  std::vector<InspectedTensor> tensors;  // in the order of their names
  MemoryNeed f32, bf16;                  // for --compute f32 and bf16, and a context of `positions`
  std::int64_t positions = 0;
  std::vector<Warning> warnings;  // not_finite, unused_tensor
};

// Reads every tensor once, piece by piece. Throws Error{model} as opening the model would.
Inspection inspect(const ModelFiles& files, std::string name);

// How many values are NaN or infinite, and what is said of a tensor that holds some.
std::uint64_t count_not_finite(DType dtype, std::span<const std::byte> bytes);
Warning not_finite_warning(std::string_view name, std::uint64_t count);

// null where there is none.
Json calibration_json(const std::optional<ScoreCalibration>& calibration);

Json inspection_json(const Inspection& inspection);

}  // namespace paligemma
