// A checkpoint in another form: tensor by tensor, each as it is or held as another type.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline.h"

namespace paligemma {

struct ConvertOptions {
  Form to = Form::hugging_face;
  std::optional<DType> weights{};     // nothing: each tensor as it is
  std::filesystem::path tokenizer{};  // empty: the model's
  std::uint64_t shard_bytes = 0;      // largest file of weights; 0: as the form's own programs cut
  bool force = false;
};

// `done` of `total` bytes are written.
using ConvertProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Writes `from` to `to`, a folder or (big_vision) a file. What is complete is put in place at the end. Asks `stop`
// between pieces. Returns what the user should know.
//
// Throws Error{usage, "file_exists"}, Error{usage, "cannot_express"} for what the form has no way to say,
// Error{failure, "write_failed" | "interrupted"} and Error{model} for a damaged source.
std::vector<std::string> convert(const ModelFiles& from, const std::filesystem::path& to, const ConvertOptions& options,
                                 const ConvertProgress& progress = {}, const std::function<bool()>& stop = {});

}  // namespace paligemma
