#include "convert.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/npz_writer.h"
#include "io/output_folder.h"
#include "model/foreign_config.h"
#include "model/layout.h"
#include "model/tensor_sources.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kShardBytes = 5'000'000'000;
constexpr std::int64_t kExtraRows = 64;  // what transformers' own conversion appends: `<image>` and padding

// What lies beside the weights and goes along, where both sides know it by the same name.
constexpr std::string_view kCompanions[] = {
    "tokenizer.model",        "tokenizer.json",     "tokenizer_config.json",    "special_tokens_map.json",
    "added_tokens.json",      "vae-oid.npz",        "mask_codec.npz",           "mask_codec.safetensors",
    "generation_config.json", "chat_template.json", "preprocessor_config.json", "processor_config.json"};

// The model as it is to be written.
struct Converted {
  Config config;
  TensorSource source;
  DType dtype = DType::f32;  // of the embedding, which stands for all where a form has one type
};

// Rows of the vocabulary that a tokenizer knows, `<image>` not counted where it comes last.
std::int64_t real_rows(const Config& config, const std::optional<Tokenizer>& tokenizer, const ModelFiles& from) {
  const std::int64_t rows = config.decoder.vocabulary;
  if (from.form != Form::hugging_face) return rows;
  if (!tokenizer) return std::min<std::int64_t>(rows, config.image_token.value_or(static_cast<int>(rows)));
  if (tokenizer->real_size() > rows)
    fail(ErrorKind::model, "tokenizer", "tokenizer and model disagree: ", from.where, ": the tokenizer has ",
         tokenizer->real_size(), " pieces, the embedding ", rows, " rows");
  return tokenizer->real_size();
}

Converted prepare(const ModelFiles& from, const ConvertOptions& options, const std::optional<Tokenizer>& tokenizer) {
  Converted out{from.config, from.source};
  if (tokenizer && tokenizer->image()) out.config.image_token = *tokenizer->image();
  std::int64_t& rows = out.config.decoder.vocabulary;
  if (options.to != Form::hugging_face) {
    rows = real_rows(from.config, tokenizer, from);
  } else if (!out.config.image_token || *out.config.image_token >= rows) {
    out.config.image_token = out.config.image_token.value_or(static_cast<int>(rows));
    rows = std::max<std::int64_t>(rows, *out.config.image_token) + kExtraRows;
  }
  if (rows != from.config.decoder.vocabulary) out.source = with_vocabulary(out.source, rows);
  if (options.weights) out.source = retyped(out.source, *options.weights);
  out.dtype = out.source.dtype("language_model.model.embed_tokens.weight");
  return out;
}

std::string pretty(const Json& json) { return json.dump(2) + "\n"; }

// The arrays of a form, whose pieces count and ask whether to go on.
class Meter {
 public:
  Meter(const ConvertProgress& progress, const std::function<bool()>& stop) : progress_(progress), stop_(stop) {}

  std::vector<StreamedArray> watch(std::vector<StreamedArray> arrays) {
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

 private:
  const ConvertProgress& progress_;
  const std::function<bool()>& stop_;
  std::uint64_t done_ = 0, total_ = 0;
};

// Which arrays go into which file.
std::vector<std::vector<StreamedArray>> shards(std::vector<StreamedArray> arrays, std::uint64_t limit) {
  std::vector<std::vector<StreamedArray>> out(1);
  std::uint64_t bytes = 0;
  for (StreamedArray& array : arrays) {
    if (bytes + array.bytes() > limit && !out.back().empty()) out.emplace_back(), bytes = 0;
    bytes += array.bytes();
    out.back().push_back(std::move(array));
  }
  return out;
}

void write_hugging_face_weights(Converted& model, const OutputFolder& folder, Meter& meter) {
  std::vector<StreamedArray> tensors;
  Network network(model.config);
  visit(network, model.config, [&](const std::string& name, Weight&, const Shape&, Weight::Form) {
    tensors.push_back(streamed(model.source, name));
  });
  auto files = shards(meter.watch(std::move(tensors)), kShardBytes);
  Json map = Json::object();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    char numbered[64];
    std::snprintf(numbered, sizeof numbered, "model-%05zu-of-%05zu.safetensors", i + 1, files.size());
    const std::string name = files.size() == 1 ? "model.safetensors" : numbered;
    for (const StreamedArray& tensor : files[i]) map[tensor.name] = name, total += tensor.bytes();
    NewFile file(folder.path(name), folder.shown(name));
    write_safetensors(std::move(files[i]), [&](std::span<const std::byte> bytes) { file.write(bytes); });
    file.close();
  }
  if (files.size() > 1)
    folder.write("model.safetensors.index.json",
                 pretty({{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}}));
}

Json preprocessor_json(const Config& config) {
  const std::int64_t side = config.vision.image_size();
  return {{"do_convert_rgb", nullptr},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_processor_type", "SiglipImageProcessor"},
          {"image_seq_length", config.vision.tokens()},
          {"image_std", {0.5, 0.5, 0.5}},
          {"processor_class", "PaliGemmaProcessor"},
          {"resample", 3},
          {"rescale_factor", 1.0 / 255.0},
          {"size", {{"height", side}, {"width", side}}}};
}

void copy_companions(const ModelFiles& from, const ConvertOptions& options, const OutputFolder& folder) {
  for (const std::string_view name : kCompanions)
    if (from.form == Form::hugging_face && from.folder.has(name)) folder.write(name, from.folder.open(name).bytes());
  if (from.form == Form::hugging_face && options.tokenizer.empty()) return;
  if (!options.tokenizer.empty()) {
    const bool json = options.tokenizer.extension() == ".json";
    std::error_code ignored;
    for (const char* name : {"tokenizer.model", "tokenizer.json"}) fs::remove(folder.path(name), ignored);
    folder.write(json ? "tokenizer.json" : "tokenizer.model",
                 FileBytes::map(options.tokenizer, ErrorKind::model).bytes());
    return;
  }
  for (const std::string& name : from.tokenizer_names)
    if (from.tokenizer_folder.has(name))
      return folder.write(name.ends_with(".json") ? "tokenizer.json" : "tokenizer.model",
                          from.tokenizer_folder.open(name).bytes());
}

void write_hugging_face(const ModelFiles& from, Converted& model, const ConvertOptions& options,
                        const OutputFolder& folder, Meter& meter) {
  write_hugging_face_weights(model, folder, meter);
  folder.write("config.json", pretty(config_json(model.config, model.dtype)));
  copy_companions(from, options, folder);
  std::error_code ignored;
  if (!fs::exists(folder.path("generation_config.json"), ignored))
    folder.write("generation_config.json",
                 pretty({{"_from_model_config", true}, {"bos_token_id", 2}, {"eos_token_id", 1}, {"pad_token_id", 0}}));
  if (!fs::exists(folder.path("preprocessor_config.json"), ignored) &&
      !fs::exists(folder.path("processor_config.json"), ignored))
    folder.write("preprocessor_config.json", pretty(preprocessor_json(model.config)));
}

// An npz and, where its shapes don't say all, a config.json beside it.
void write_big_vision(Converted& model, const OutputFolder& folder, const std::string& name, Meter& meter) {
  const Json config = big_vision_config_json(model.config);
  std::vector<StreamedArray> arrays = layout_arrays(big_vision_layout(), model.config, model.source);
  for (StreamedArray& array : arrays) array.name = "params/" + array.name;
  arrays = meter.watch(std::move(arrays));
  write_npz(folder.path(name), arrays, folder.shown(name));
  if (!config.empty()) folder.write("config.json", pretty(config));
}

// Throws when `to` is taken, before hours of work.
void require_free(const fs::path& to, const ConvertOptions& options) {
  std::error_code error;
  const bool folder = options.to != Form::big_vision;
  const fs::file_status status = fs::status(to, error);
  if (!fs::exists(status)) return;
  if (folder != fs::is_directory(status))
    fail(ErrorKind::usage, "file_exists", "cannot write: ", to.string(), ": expected ", folder ? "a folder" : "a file",
         ", got ", folder ? "a file" : "a folder");
  if (!options.force && !(folder && fs::is_empty(to, error)))
    fail(ErrorKind::usage, "file_exists", "cannot write: ", to.string(), ": it is there already. Try: --force");
}

// Weights of an earlier model in the folder, which would be read in place of the new ones or beside them.
void remove_stale_weights(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("model") && (name.ends_with(".safetensors") || name == "model.safetensors.index.json" ||
                                      name.ends_with(".weights.h5") || name == "model.weights.json"))
      stale.push_back(it->path());
  }
  for (const fs::path& path : stale) fs::remove(path, error);
}

std::optional<Tokenizer> find_tokenizer(const ModelFiles& from, const fs::path& given) {
  try {
    return open_tokenizer(from, given);
  } catch (const Error& error) {
    if (error.code() != "no_tokenizer") throw;
    return {};
  }
}

}  // namespace

std::vector<std::string> convert(const ModelFiles& from, const fs::path& to, const ConvertOptions& options,
                                 const ConvertProgress& progress, const std::function<bool()>& stop) {
  require_free(to, options);
  const std::optional<Tokenizer> tokenizer = find_tokenizer(from, options.tokenizer);
  Converted model = prepare(from, options, tokenizer);
  Meter meter(progress, stop);
  std::vector<std::string> notes;
  if (options.to == Form::big_vision) {
    OutputFolder folder(to.has_parent_path() ? to.parent_path() : fs::path("."));
    write_big_vision(model, folder, to.filename().string(), meter);
    folder.commit(options.force);
    notes.push_back("an npz holds no tokenizer: keep tokenizer.model beside it or name it with --tokenizer");
    return notes;
  }
  OutputFolder folder(to);
  write_hugging_face(from, model, options, folder, meter);
  if (!tokenizer) notes.push_back("no tokenizer was found: put tokenizer.model into the folder, or see --tokenizer");
  if (options.force) remove_stale_weights(to);
  folder.commit(options.force);
  return notes;
}

}  // namespace paligemma
