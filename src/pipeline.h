// A loaded model with everything that its eight stages need.
#pragma once

#include <paligemma/paligemma.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "detect/mask_codec.h"
#include "engine/budget.h"
#include "engine/engine.h"
#include "image/preprocessor.h"
#include "model/adapter_set.h"
#include "model/load.h"
#include "model/model_files.h"
#include "text/tokenizer.h"

namespace paligemma {

// A picture whose embeddings the engine has.
struct SeenPicture {
  std::weak_ptr<const Picture> pixels;  // known again as long as somebody has it
  const AdapterSet* adapter = nullptr;  // that changed the embeddings
};

// What of a configuration an adapter has of its own: the weights that answer are others.
struct BoxNumerics {
  int noise_boxes = 0;
  std::optional<ScoreCalibration> score_calibration{};
};
inline BoxNumerics box_numerics(const Config& config) { return {config.noise_boxes, config.score_calibration}; }

struct Pipeline {
  ModelInfo info;
  ModelOptions options;
  std::unique_ptr<Backend> backend;
  Config config;
  Network network;
  std::vector<AdapterSet> adapters;       // in the order of options.adapters; empty when they are merged
  std::vector<BoxNumerics> box_numerics;  // of each of them
  std::optional<Tokenizer> tokenizer;
  std::optional<MaskCodec> codec;
  Preprocessor preprocessor;
  std::vector<SeenPicture> seen;  // by number in the engine
  std::optional<Engine> engine;   // refers to backend, config and network: a pipeline stays where it is made
};

// What `weights` and `compute` say. Throws Error{usage, "compute"} where they do not go together.
Holding holding_of(const ModelOptions& options);

// What the options say of soft caps beyond the configuration.
void choose_softcaps(const ModelOptions& options, DecoderConfig& decoder);

// Loads an opened model. Throws as Model::open does.
std::unique_ptr<Pipeline> open_pipeline(const ModelFiles& files, std::string name, const ModelOptions& options);

// The files at a path, or the embedded model where that is empty.
ModelFiles find_model(const std::filesystem::path& path);

// Opens and loads what find_model() finds.
std::unique_ptr<Pipeline> open_pipeline(const std::filesystem::path& path, const ModelOptions& options);

// What those who compare models ask beside a request.
struct Probe {
  std::vector<std::int32_t> answer{};                        // the answer begins so, in the place of Request::suffix
  std::function<void(std::span<const float>)> see_logits{};  // EnginePrompt's
};

// Model::answer, with a probe for each request or none at all.
std::vector<Result> answer(Pipeline& pipeline, std::span<const Request> requests, std::span<const Probe> probes,
                           const std::function<bool()>& stop);

// The model's tokenizer.model or tokenizer.json, or the file at `given`; nothing when there is none.
struct TokenizerFile {
  FileBytes file;
  std::string where;

  bool is_json() const { return where.ends_with(".json"); }
};
std::optional<TokenizerFile> find_tokenizer(const ModelFiles& files, const std::filesystem::path& given);
// `image` is the configuration's id of `<image>`. Throws Error{model, "tokenizer" | "json"}.
Tokenizer read_tokenizer(const TokenizerFile& found, std::optional<int> image);

// What detect and segment make likely; nothing for the other tasks.
DraftHints draft_hints(const Tokenizer& tokenizer, const Request& request);

// The model's mask codec, or the file at `given`; nothing when there is none.
struct FoundCodec {
  FileBytes file;
  std::string where;
};
std::optional<FoundCodec> find_codec(const ModelFiles& files, const std::filesystem::path& given);

// Tokens of prompt and answer beside the picture that memory estimates count with.
constexpr std::int64_t kTypicalAnswer = 512;

// What loading and running will take, in bytes, for `answers` at once with a context of `positions` tokens each.
struct MemoryNeed {
  std::uint64_t weights = 0, kv_cache = 0, work = 0;
  std::uint64_t loading = 0;  // beside the weights until they are loaded, before there is a cache or work
  std::uint64_t total() const { return weights + std::max(loading, kv_cache + work); }
};
MemoryNeed memory_need(const Config& config, const TensorSource& source, const Holding& holding, const Backend& backend,
                       std::int64_t positions, std::int64_t answers = 1);

// Throws Error{resource, "out_of_memory"} with both numbers when `what` needs more than `limit` bytes, or, where that
// is 0, than the system has available beside the `held` bytes of the need that are already taken.
void require_memory(std::string_view what, const MemoryNeed& need, std::uint64_t limit = 0, std::uint64_t held = 0);

// The last part of a path that has a name: what a model or an adapter is called.
std::string folder_name(const std::filesystem::path& path);

// Place of the adapter that `request` asks for, or nothing when it is answered without. Throws Error{usage, "adapter"}.
std::optional<std::size_t> find_adapter(std::span<const std::filesystem::path> adapters, const Request& request);

// What the configuration alone says of a model.
ModelInfo describe(const Config& config, std::string name);

}  // namespace paligemma
