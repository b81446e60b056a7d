#include "convert.h"

#include <algorithm>

#include "base/error.h"
#include "convert_forms.h"
#include "image/preprocessor.h"
#include "model/foreign_config.h"
#include "model/tensor_sources.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kExtraRows = 64;  // what transformers' own conversion appends: `<image>` and padding

// The largest files of weights that transformers and KerasHub write.
std::uint64_t usual_shard(Form form) { return form == Form::keras ? 10'000'000'000 : 5'000'000'000; }

// Rows of the vocabulary that a tokenizer knows, `<image>` not counted where it comes last.
std::int64_t real_rows(const ModelFiles& from, const std::optional<Tokenizer>& tokenizer) {
  const std::int64_t rows = from.config.decoder.vocabulary;
  if (!like_hugging_face(from.form)) return rows;
  if (!tokenizer) return std::min<std::int64_t>(rows, from.config.image_token.value_or(static_cast<int>(rows)));
  if (tokenizer->real_size() > rows)
    fail(ErrorKind::model, "tokenizer", "tokenizer and model disagree: ", from.where, ": the tokenizer has ",
         tokenizer->real_size(), " pieces, the embedding ", rows, " rows");
  return tokenizer->real_size();
}

// An npz says nothing of pictures, and what a preset says of them is not read.
void require_usual_pictures(const ModelFiles& from) {
  const Preprocessor usual, its = read_preprocessor(from.folder, from.config.vision.image_size());
  const Normalization &a = usual.normalization, &b = its.normalization;
  const bool same_scale = static_cast<float>(a.rescale) == static_cast<float>(b.rescale);  // often cut to few digits
  if (its.filter != usual.filter || !same_scale || b.mean != a.mean || b.std != a.std)
    fail(ErrorKind::usage, "cannot_express", "cannot convert: ", from.where,
         " has its own resample, rescale_factor, image_mean or image_std, which would be lost");
}

// Throws when `to` is taken or no name for the form, before hours of work.
void require_free(const fs::path& to, const ConvertOptions& options, bool config_beside) {
  std::error_code error;
  const auto taken = [&](const fs::path& path) {
    fail(ErrorKind::usage, "file_exists", "cannot write: ", path.string(), ": it is there already. Try: --force");
  };
  const bool folder = options.to != Form::big_vision;
  if (!folder && to.extension() != ".npz")
    fail(ErrorKind::usage, "bad_value", "cannot write: ", to.string(),
         ": expected a name that ends in .npz, by which it is known");
  const fs::path beside = to.parent_path() / "config.json";
  if (!options.force && config_beside && fs::exists(beside, error)) taken(beside);
  const fs::file_status status = fs::status(to, error);
  if (!fs::exists(status)) return;
  if (folder != fs::is_directory(status))
    fail(ErrorKind::usage, "file_exists", "cannot write: ", to.string(), ": expected ", folder ? "a folder" : "a file",
         ", got ", folder ? "a file" : "a folder");
  if (!options.force && !(folder && fs::is_empty(to, error))) taken(to);
}

// Weights of an earlier model in the folder, which would be read in place of the new ones.
void remove_stale_weights(const fs::path& folder, const std::vector<std::string>& written) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool weights = name.ends_with(".safetensors") || name == "model.safetensors.index.json" ||
                         name.ends_with(".weights.h5") || name == "model.weights.json";
    if (weights && name.starts_with("model") && std::ranges::count(written, name) == 0) stale.push_back(it->path());
  }
  for (const fs::path& path : stale) fs::remove(path, error);
}

}  // namespace

Converted prepare(const ModelFiles& from, const ConvertOptions& options) {
  if (like_hugging_face(from.form) && !like_hugging_face(options.to)) require_usual_pictures(from);
  const bool rounded_later = options.to == Form::gguf || options.weights;
  Converted out{.config = from.config, .source = without_blocks(from.source, rounded_later ? DType::f32 : DType::bf16)};
  const DType in_file = from.source.dtype("language_model.model.embed_tokens.weight");
  out.dtype = options.weights ? *options.weights : in_blocks(in_file) ? DType::bf16 : in_file;
  out.shard_bytes = options.shard_bytes != 0 ? options.shard_bytes : usual_shard(options.to);
  out.tokenizer = find_tokenizer(from, options.tokenizer);
  std::optional<Tokenizer> tokenizer;
  if (out.tokenizer) tokenizer = read_tokenizer(*out.tokenizer, from.config.image_token);
  if (tokenizer && tokenizer->image()) out.config.image_token = *tokenizer->image();
  std::int64_t& rows = out.config.decoder.vocabulary;
  if (!like_hugging_face(options.to)) {
    rows = real_rows(from, tokenizer);
  } else if (!out.config.image_token || *out.config.image_token >= rows) {
    rows = std::max<std::int64_t>(rows, out.config.image_token.value_or(0));
    out.config.image_token = out.config.image_token.value_or(static_cast<int>(rows));
    rows += kExtraRows;
  }
  if (rows != from.config.decoder.vocabulary) out.source = with_vocabulary(out.source, rows);
  if (options.weights) out.source = retyped(out.source, *options.weights);
  return out;
}

std::vector<StreamedArray> Meter::watch(std::vector<StreamedArray> arrays) {
  for (StreamedArray& array : arrays) {
    total_ += array.bytes();
    array.piece = [this, piece = std::move(array.piece)](std::size_t i) {
      if (stop_ && stop_()) fail(ErrorKind::failure, "interrupted", "interrupted before the model was written");
      if (progress_) progress_(done_, total_);
      const auto bytes = piece(i);
      done_ += bytes.size();
      return bytes;
    };
  }
  return arrays;
}

std::vector<std::vector<StreamedArray>> cut_into_files(std::vector<StreamedArray> arrays, std::uint64_t limit) {
  std::vector<std::vector<StreamedArray>> files(1);
  std::uint64_t bytes = 0;
  for (StreamedArray& array : arrays) {
    if (bytes + array.bytes() > limit && !files.back().empty()) files.emplace_back(), bytes = 0;
    bytes += array.bytes();
    files.back().push_back(std::move(array));
  }
  return files;
}

std::vector<std::string> convert(const ModelFiles& from, const fs::path& to, const ConvertOptions& options,
                                 const ConvertProgress& progress, const std::function<bool()>& stop) {
  const Converted model = prepare(from, options);
  const bool single = options.to == Form::big_vision;
  require_free(to, options, single && !big_vision_config_json(model.config).empty());
  Meter meter(progress, stop);
  OutputFolder folder(!single ? to : to.has_parent_path() ? to.parent_path() : fs::path("."));
  switch (options.to) {
    case Form::hugging_face: write_hugging_face(model, from, folder, meter); break;
    case Form::big_vision: write_big_vision(model, folder, to.filename().string(), meter); break;
    case Form::keras: write_keras(model, folder, meter); break;
    case Form::gguf: break;  // src/quantize writes those
  }
  const std::vector<std::string> written = folder.names();
  folder.commit(options.force);
  if (!single && options.force) remove_stale_weights(to, written);
  if (single) return {"an npz holds no tokenizer: keep tokenizer.model beside it or name it with --tokenizer"};
  if (!model.tokenizer) return {"no tokenizer was found: the new model needs one, see --tokenizer"};
  if (options.to == Form::keras && model.tokenizer->is_json())
    return {"KerasHub reads tokenizer.model alone, this model has tokenizer.json: see --tokenizer"};
  return {};
}

}  // namespace paligemma
