#include "train/trainee.h"

#include "base/error.h"
#include "base/random.h"
#include "model/pocket.h"
#include "train/start_model.h"

namespace paligemma {
namespace {

constexpr std::uint64_t kDenseSeed = 2;  // of the recipe's seeds

Switch switch_of(std::string_view word) {
  return word == "on" ? Switch::on : word == "off" ? Switch::off : Switch::automatic;
}

WeightType weight_type(std::string_view word) {
  return word == "f32"    ? WeightType::f32
         : word == "bf16" ? WeightType::bf16
         : word == "q8"   ? WeightType::q8
         : word == "q4"   ? WeightType::q4
                          : WeightType::automatic;
}

// How what is not trained is held, and the network itself where it is.
WeightType held_weights(const Recipe& recipe) {
  const bool blocks = recipe.weights == "q8" || recipe.weights == "q4";
  if (recipe.mode == "full" && blocks)
    fail(ErrorKind::usage, "weights", "full training changes the weights: expected --weights auto, f32 or bf16, got ",
         recipe.weights, ". Try: --mode qlora");
  if (recipe.mode == "qlora" && recipe.weights == "auto") return WeightType::q4;
  if (recipe.mode == "qlora" && !blocks)
    fail(ErrorKind::usage, "weights", "qlora trains on a base of 8 or 4 bits: expected --weights q8 or q4, got ",
         recipe.weights, ". Try: --mode lora");
  return weight_type(recipe.weights);
}

}  // namespace

ModelOptions model_options(const Recipe& recipe) {
  return {.tokenizer = recipe.tokenizer,
          .codec = recipe.codec,
          .weights = held_weights(recipe),
          .compute = recipe.compute == "f32"    ? Compute::f32
                     : recipe.compute == "bf16" ? Compute::bf16
                                                : Compute::automatic,
          .final_softcap = switch_of(recipe.final_softcap),
          .attention_softcap = switch_of(recipe.attention_softcap),
          .threads = static_cast<int>(recipe.threads)};
}

OptimizerOptions optimizer_options(const Recipe& recipe) {
  return {.kind = recipe.optimizer == "muon"  ? OptimizerKind::muon
                  : recipe.optimizer == "sgd" ? OptimizerKind::sgd
                                              : OptimizerKind::adamw,
          .beta1 = recipe.beta1,
          .beta2 = recipe.beta2,
          .eps = recipe.eps,
          .weight_decay = recipe.weight_decay,
          .decay_all = recipe.decay_all,
          .clip = recipe.clip,
          .clip_adamw_only = recipe.clip_adamw_only,
          .ema = recipe.ema};
}

void Trainee::train_on(Tape& tape) { adapter ? adapter->train_on(tape) : parameters->train_on(tape); }
void Trainee::finish_gradients() { adapter ? adapter->finish_gradients() : parameters->finish_gradients(); }

void Trainee::place() {
  adapter ? adapter->place() : parameters->place();
  pipeline->seen.clear();  // embeddings of pictures that the engine has are those of the weights before
}

bool Trainee::tower_is_frozen() const {
  for (const Parameter& p : parameters->all())
    if (p.name.starts_with("vision_tower.")) return false;
  return true;
}

std::unique_ptr<Trainee> open_trainee(const Recipe& recipe, ModelFiles files, const std::filesystem::path& adapter) {
  auto trainee = std::make_unique<Trainee>();
  const ModelOptions options = model_options(recipe);
  trainee->files = std::move(files);
  ModelOptions opened = options;
  if (is_embedded(recipe) && opened.compute == Compute::automatic) opened.compute = Compute::f32;
  const std::string name = !recipe.new_model.empty() ? "new"
                           : recipe.model.empty()    ? std::string(kPocketName)
                                                     : folder_name(recipe.model);
  trainee->pipeline = open_pipeline(trainee->files, name, opened);
  Pipeline& pipeline = *trainee->pipeline;
  pipeline.config.noise_boxes = static_cast<int>(recipe.noise_boxes);
  pipeline.config.score_calibration.reset();  // of weights that will be others
  if (!pipeline.tokenizer->image())
    fail(ErrorKind::model, "tokenizer", "cannot train the model: ", trainee->files.where,
         ": expected an <image> token, the tokenizer has none");
  trainee->parameters.emplace(*pipeline.backend);

  if (recipe.mode == "full") {
    add_network(*trainee->parameters, pipeline.network, pipeline.config, trainee->files.source,
                NamePatterns(recipe.freeze));
    if (trainee->parameters->all().empty())
      fail(ErrorKind::usage, "freeze", "nothing is left to train: expected a tensor that no --freeze matches");
  } else {
    const LoraOptions lora{.rank = recipe.rank,
                           .alpha = recipe.alpha,
                           .rslora = recipe.rslora,
                           .dropout = static_cast<float>(recipe.dropout),
                           .targets = recipe.targets};
    pipeline.options.adapters = {"run"};
    pipeline.adapters.resize(1);
    pipeline.box_numerics = {box_numerics(pipeline.config)};
    const Holding holding = holding_of(pipeline.options);
    const TrainedAdapter::Place place{pipeline.network,  pipeline.config,      trainee->files.source,    holding,
                                      *pipeline.backend, *trainee->parameters, pipeline.adapters.front()};
    if (adapter.empty()) {
      trainee->adapter.emplace(lora, static_cast<std::uint64_t>(recipe.seed), place);
      trainee->adapter_config = adapter_config_json(
          trainee->adapter->tensors(),
          {.rank = lora.rank, .alpha = lora.alpha, .rslora = lora.rslora, .dropout = recipe.dropout, .base = name});
    } else {
      const Folder folder = Folder::on_disk(adapter, ErrorKind::model);
      trainee->adapter.emplace(read_adapter(folder, folder_name(adapter), pipeline.config), place);
      trainee->adapter_config =
          parse_json(folder.open("adapter_config.json").text(), adapter.string(), ErrorKind::model);
    }
    pipeline.adapters.front().name = "run";
  }
  if (recipe.dense_head > 0)
    trainee->dense.emplace(*pipeline.backend, pipeline.config.decoder.width,
                           splitmix64(static_cast<std::uint64_t>(recipe.seed), kDenseSeed), *trainee->parameters);
  trainee->place();
  OptimizerOptions optimizing = optimizer_options(recipe);
  optimizing.precision = holding_of(pipeline.options).precision;
  optimizing.threads = static_cast<int>(recipe.threads);
  trainee->optimizer.emplace(*trainee->parameters, *pipeline.backend, optimizing);
  return trainee;
}

TensorSource trained_source(const Trainee& trainee) {
  const auto find = [&trainee](std::string_view name) -> const Parameter* {
    for (const Parameter& p : trainee.parameters->all())
      if (p.name == name) return &p;
    return nullptr;
  };
  const TensorSource& base = trainee.files.source;
  TensorSource out = base;
  out.dtype = [base, find](std::string_view name) { return find(name) ? DType::f32 : base.dtype(name); };
  out.rows = [base, find](std::string_view name, std::int64_t first, std::int64_t count) {
    const Parameter* p = find(name);
    if (!p) return base.rows(name, first, count);
    return HostTensor{DType::f32, p->shape, std::as_bytes(p->value)}.rows(first, count);
  };
  return out;
}

}  // namespace paligemma
