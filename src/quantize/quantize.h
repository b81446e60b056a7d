// A model with weights of 8 and 4 bits, as one GGUF file: docs/gguf.md.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "convert.h"

namespace paligemma {

// q8 and q4 as `--weights q8` and `--weights q4` hold a model. mixed is q4 with the embedding, the head and attention's
// projections in q8.
enum class QuantType { q8, q4, mixed };

struct QuantizeOptions {
  QuantType type = QuantType::q8;
  std::filesystem::path tokenizer{}, codec{};  // empty: the model's
  bool force = false;
  // Sees the complete file before it is put in place; what it throws ends the work, and nothing is written.
  std::function<void(const std::filesystem::path& written)> accept{};
};

// What a matrix whose rows have `cols` elements is written as.
DType quantized_type(QuantType type, std::string_view name, std::int64_t cols, DType in_file);

// Writes `from` to the file `to`, which appears when it is complete. Asks `stop` between pieces. Returns what the user
// should know.
//
// Throws Error{usage, "file_exists" | "bad_value"}, Error{failure, "write_failed" | "interrupted"} and Error{model} for
// a damaged source.
std::vector<std::string> quantize(const ModelFiles& from, const std::filesystem::path& to,
                                  const QuantizeOptions& options, const ConvertProgress& progress = {},
                                  const std::function<bool()>& stop = {});

}  // namespace paligemma
