// One function a form: writes what `convert` prepared into a folder. For src/convert*.cc and src/quantize alone.
#pragma once

#include "convert.h"
#include "io/output_folder.h"

namespace paligemma {

// The model as it is to be written.
struct Converted {
  Config config;
  TensorSource source;
  DType dtype = DType::f32;       // of the embedding before it is quantised, which stands for all in a form of one type
  std::uint64_t shard_bytes = 0;  // largest file of weights
  std::optional<TokenizerFile> tokenizer;
};

// A model to be written in the form `options.to`.
Converted prepare(const ModelFiles& from, const ConvertOptions& options);

// A file of a Hugging Face folder.
struct CompanionFile {
  std::string name;
  FileBytes content;
};
// All files but the weights. Both must outlive them.
std::vector<CompanionFile> hugging_face_files(const Converted& model, const ModelFiles& from);

// Counts the bytes of all pieces that are asked for, and ends the work when it is stopped.
class Meter {
 public:
  Meter(const ConvertProgress& progress, const std::function<bool()>& stop) : progress_(progress), stop_(stop) {}
  // The same arrays, watched; valid while the meter is.
  std::vector<StreamedArray> watch(std::vector<StreamedArray> arrays);

 private:
  const ConvertProgress& progress_;
  const std::function<bool()>& stop_;
  std::uint64_t done_ = 0, total_ = 0;
};

// Which arrays go into which file, in order.
std::vector<std::vector<StreamedArray>> cut_into_files(std::vector<StreamedArray> arrays, std::uint64_t limit);

void write_hugging_face(const Converted& model, const ModelFiles& from, const OutputFolder& folder, Meter& meter);
// An npz of that name and, where shapes don't say all, a config.json beside it.
void write_big_vision(const Converted& model, const OutputFolder& folder, const std::string& name, Meter& meter);
void write_keras(const Converted& model, const OutputFolder& folder, Meter& meter);

}  // namespace paligemma
