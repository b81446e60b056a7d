// Opening a model: from a folder of files to a pipeline.
#include <algorithm>
#include <chrono>

#include "base/memory.h"
#include "model/gguf_model.h"
#include "model/merge.h"
#include "model/pocket.h"
#include "model/trained_numerics.h"
#include "pipeline.h"

namespace paligemma {
namespace {

void apply(Switch choice, float& cap, float when_on) {
  if (choice == Switch::off) cap = 0;
  if (choice == Switch::on && cap == 0) cap = when_on;
}

// What the options say beyond the configuration. In `options` it takes the place of `automatic`.
void choose_numerics(Form form, Config& config, ModelOptions& options) {
  DecoderConfig& decoder = config.decoder;
  choose_softcaps(options, decoder);
  if (options.window == Window::hf) decoder.window = decoder.declared_window;
  if (options.numerics == Numerics::automatic && form == Form::big_vision) options.numerics = Numerics::bv;
  if (options.numerics != Numerics::bv) return;
  config.numerics = kBigVisionNumerics;
  if (options.final_softcap == Switch::on) config.numerics.caps_prompt_logits = true;
  if (options.resize == Resize::automatic) options.resize = Resize::tf_bilinear;
  if (options.compute == Compute::automatic) options.compute = Compute::f32;
}

Tokenizer open_tokenizer(const ModelFiles& files, const std::filesystem::path& given) {
  if (const auto found = find_tokenizer(files, given)) return read_tokenizer(*found, files.config.image_token);
  std::string names;
  for (const std::string& name : files.tokenizer_names) names += (names.empty() ? "" : " or ") + name;
  fail(ErrorKind::model, "no_tokenizer", "no tokenizer: ", files.where, ": expected ", names, " in ",
       files.tokenizer_folder.name, ". Try: --tokenizer PATH");
}

std::optional<MaskCodec> open_codec(const ModelFiles& files, const std::filesystem::path& given, Backend& backend) {
  auto found = find_codec(files, given);
  if (!found) return {};
  return MaskCodec::read(std::move(found->file), found->where, backend);
}

HeldAs held_as(WeightType type) {
  switch (type) {
    case WeightType::f32: return HeldAs::f32;
    case WeightType::bf16: return HeldAs::bf16;
    case WeightType::q8: return HeldAs::q8;
    case WeightType::q4: return HeldAs::q4;
    case WeightType::automatic: break;
  }
  return HeldAs::as_in_file;
}

// What the adapters were trained with, where they say so. Returns what is each one's own; of merged ones the
// configuration has it: the most noise boxes of any, and the calibration of one that is alone.
std::vector<BoxNumerics> take_trained_numerics(const ModelOptions& options, Config& config) {
  std::optional<TrainedNumerics> taken;
  const BoxNumerics base = box_numerics(config);
  std::vector<BoxNumerics> boxes;
  for (const std::filesystem::path& path : options.adapters) {
    auto own = read_trained_numerics(Folder::on_disk(path, ErrorKind::model));
    boxes.push_back(own ? BoxNumerics{own->noise_boxes, own->score_calibration} : BoxNumerics{base.noise_boxes, {}});
    if (!own) continue;
    own->noise_boxes = base.noise_boxes, own->score_calibration = base.score_calibration;
    if (taken && *own != *taken)
      fail(ErrorKind::model, "trained_numerics", "adapters do not go together: ", path.string(),
           ": expected the soft caps and divisor of the one before, got others. Try: one at a time");
    taken = own;
  }
  if (taken) apply(*taken, config);
  if (options.merge_adapters && !boxes.empty()) {
    config.noise_boxes = std::ranges::max(boxes, {}, &BoxNumerics::noise_boxes).noise_boxes;
    config.score_calibration = boxes.size() == 1 ? boxes.front().score_calibration : std::nullopt;
  }
  return boxes;
}

std::vector<Adapter> read_adapters(const ModelOptions& options, const Config& config) {
  std::vector<Adapter> adapters;
  for (const std::filesystem::path& path : options.adapters)
    adapters.push_back(read_adapter(Folder::on_disk(path, ErrorKind::model), folder_name(path), config));
  return adapters;
}

}  // namespace

void choose_softcaps(const ModelOptions& options, DecoderConfig& decoder) {
  apply(options.final_softcap, decoder.final_cap, 30);
  apply(options.attention_softcap, decoder.attention_cap, 50);
}

Holding holding_of(const ModelOptions& options) {
  const HeldAs held = held_as(options.weights);
  if (options.compute != Compute::int8)
    return {held, options.compute == Compute::f32 ? Precision::f32 : Precision::bf16};
  if (held == HeldAs::f32 || held == HeldAs::bf16)
    fail(ErrorKind::usage, "compute", "int8 computes with weights of 8 or 4 bits: expected q8, q4 or auto, got ",
         held == HeldAs::f32 ? "f32" : "bf16", " for the weights");
  return {held, Precision::int8};
}

std::string folder_name(const std::filesystem::path& path) {
  const auto absolute = std::filesystem::absolute(path).lexically_normal();
  return (absolute.has_filename() ? absolute.filename() : absolute.parent_path().filename()).string();
}

std::optional<std::size_t> find_adapter(std::span<const std::filesystem::path> adapters, const Request& request) {
  if (!request.adapter || adapters.empty()) {
    if (request.adapter && !request.adapter->empty())
      fail(ErrorKind::usage, "adapter", "no such adapter: ", *request.adapter,
           ": expected one that is loaded, got none");
    return {};
  }
  if (request.adapter->empty()) return 0;
  std::string names;
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < adapters.size(); ++i) {
    if (adapters[i] == *request.adapter) return i;
    const std::string name = folder_name(adapters[i]);
    names += (i > 0 ? ", " : "") + name;
    if (name == *request.adapter) found.push_back(i);
  }
  if (found.size() != 1)
    fail(ErrorKind::usage, "adapter",
         found.empty() ? "no such adapter: " : "two adapters have this name: ", *request.adapter, ": expected one of ",
         names, found.empty() ? "" : ". Try: its path as given to --adapter");
  return found.front();
}

std::optional<TokenizerFile> find_tokenizer(const ModelFiles& files, const std::filesystem::path& given) {
  if (!given.empty()) return TokenizerFile{FileBytes::map(given, ErrorKind::model), given.string()};
  const Folder& folder = files.tokenizer_folder;
  for (const std::string& name : files.tokenizer_names)
    if (folder.has(name)) return TokenizerFile{folder.open(name), folder.name + "/" + name};
  return {};
}

std::optional<FoundCodec> find_codec(const ModelFiles& files, const std::filesystem::path& given) {
  if (!given.empty()) return FoundCodec{FileBytes::map(given, ErrorKind::model), given.string()};
  for (const std::string_view name : kCodecFiles)
    if (files.folder.has(name)) return FoundCodec{files.folder.open(name), join(files.folder.name, "/", name)};
  return {};
}

Tokenizer read_tokenizer(const TokenizerFile& found, std::optional<int> image) {
  return found.is_json() ? Tokenizer::from_json(found.file.text(), found.where, image)
                         : Tokenizer::from_sentencepiece(found.file.bytes(), found.where, image);
}

MemoryNeed memory_need(const Config& config, const TensorSource& source, const Holding& holding, const Backend& backend,
                       std::int64_t positions, std::int64_t answers) {
  const KvCache cache = cache_like(config, holding.precision);
  const std::int64_t blocks = (positions + kKvBlockTokens - 1) / kKvBlockTokens;
  const DecoderConfig& d = config.decoder;
  const VisionConfig& v = config.vision;
  const auto rows = [answers](std::int64_t each, std::int64_t most) {
    return std::max(each, std::min(answers * each, most));
  };
  const std::int64_t decoder_floats = rows(positions, rows_of_prompts(d)) * decoder_row_floats(d);
  const std::int64_t vision_floats = rows(v.tokens(), kPictureRows) * (6 * v.width + 2 * v.mlp);
  const std::int64_t held_floats = answers * v.tokens() * d.width + kLogitRows * d.vocabulary;
  const std::int64_t work_floats = std::max(decoder_floats, vision_floats) + held_floats;
  return {.weights = weight_bytes(config, source, holding, backend),
          .kv_cache = static_cast<std::uint64_t>(block_bytes(cache) * cache_blocks(cache, answers * blocks, blocks)),
          .work = static_cast<std::uint64_t>(work_floats) * sizeof(float)};
}

void require_memory(std::string_view what, const MemoryNeed& need, std::uint64_t limit, std::uint64_t held) {
  std::uint64_t available = limit;
  if (limit == 0 && (available = available_memory()) != 0) available += held;
  if (available == 0 || need.total() <= available) return;
  const std::string loading = need.loading == 0 ? "" : ", loading " + readable_bytes(need.loading);
  fail(ErrorKind::resource, "out_of_memory", "not enough memory: ", what, ": needs ", readable_bytes(need.total()),
       " (weights ", readable_bytes(need.weights), loading, "), ", readable_bytes(available),
       " are available. Try: --weights q8 or q4, or a smaller model");
}

ModelInfo describe(const Config& config, std::string name) {
  return {.name = std::move(name),
          .family = config.decoder.gemma2 ? "PaliGemma 2" : "PaliGemma 1",
          .parameters = parameter_count(config),
          .image_size = static_cast<int>(config.vision.image_size()),
          .image_tokens = static_cast<int>(config.vision.tokens())};
}

std::unique_ptr<Pipeline> open_pipeline(const ModelFiles& files, std::string name, const ModelOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  auto pipeline = std::make_unique<Pipeline>();
  if (options.box_divisor != 0 && options.box_divisor != 1023 && options.box_divisor != 1024)
    fail(ErrorKind::usage, "box_divisor", "bad box divisor: expected 1023 or 1024, got ", options.box_divisor);
  pipeline->options = options;
  pipeline->backend = make_cpu_backend({.threads = options.threads});

  TensorSource source = files.source;
  Config& config = pipeline->config;
  config = files.config;
  pipeline->box_numerics = take_trained_numerics(options, config);
  choose_numerics(files.form, config, pipeline->options);
  pipeline->tokenizer = open_tokenizer(files, options.tokenizer);
  const Tokenizer& tokenizer = *pipeline->tokenizer;
  pipeline->codec = open_codec(files, options.codec, *pipeline->backend);
  if (like_hugging_face(files.form))
    pipeline->preprocessor = read_preprocessor(files.folder, config.vision.image_size());
  if (tokenizer.real_size() > config.decoder.vocabulary)
    fail(ErrorKind::model, "tokenizer", "tokenizer and model disagree: ", files.where, ": the tokenizer has ",
         tokenizer.real_size(), " pieces, the embedding ", config.decoder.vocabulary, " rows");

  const Holding holding = holding_of(pipeline->options);
  const Precision precision = holding.precision;
  const std::int64_t positions = config.vision.tokens() + kTypicalAnswer;
  Backend& backend = *pipeline->backend;
  const std::vector<Adapter> adapters = read_adapters(options, config);
  if (options.merge_adapters)
    for (const Adapter& adapter : adapters) source = merged(std::move(source), adapter, backend);
  MemoryNeed need = memory_need(config, source, holding, backend, positions, kTypicalBatch);
  need.loading = files.unpacked;
  for (const Adapter& adapter : adapters)
    if (options.merge_adapters)
      need.loading += merging_bytes(adapter, backend);
    else
      need.weights += adapter_bytes(adapter, config, holding, backend);
  require_memory(files.where, need, options.memory_limit, files.unpacked);
  pipeline->network = load_network(config, source, holding, backend);
  if (!options.merge_adapters)
    for (const Adapter& adapter : adapters)
      pipeline->adapters.push_back(place_adapter(adapter, pipeline->network, config, source, holding, backend));
  pipeline->engine.emplace(*pipeline->backend, config, pipeline->network,
                           EngineOptions{.precision = precision,
                                         .image_token = tokenizer.image().value_or(-1),
                                         .eos_token = tokenizer.eos(),
                                         .real_vocabulary = tokenizer.real_size(),
                                         .draft_rows = options.draft_rows});
  ModelInfo& info = pipeline->info;
  info = describe(config, std::move(name));
  info.has_boxes = tokenizer.loc_begin().has_value();
  info.has_codec = pipeline->codec.has_value();
  info.weights = paligemma::name(pipeline->network.decoder.embedding.dtype);
  info.compute = paligemma::name(precision);
  info.isa = pipeline->backend->name();
  info.load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return pipeline;
}

ModelFiles find_model(const std::filesystem::path& path) {
  return path.empty() ? open_model_files(pocket_folder()) : open_model_files(path);
}

std::unique_ptr<Pipeline> open_pipeline(const std::filesystem::path& path, const ModelOptions& options) {
  if (!path.empty()) return open_pipeline(find_model(path), folder_name(path), options);
  ModelOptions chosen = options;
  if (chosen.compute == Compute::automatic) chosen.compute = Compute::f32;  // small enough to be exact and fast
  return open_pipeline(find_model(path), std::string(kPocketName), chosen);
}

Model::Model(std::unique_ptr<Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::open(const std::filesystem::path& path, const ModelOptions& options) {
  return Model(open_pipeline(open_model_files(path), folder_name(path), options));
}

Model Model::embedded(const ModelOptions& options) { return Model(open_pipeline({}, options)); }

const ModelInfo& Model::info() const { return pipeline_->info; }

}  // namespace paligemma
