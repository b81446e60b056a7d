#include "train/memory_plan.h"

#include <algorithm>

#include "base/cpu_info.h"
#include "base/error.h"
#include "base/memory.h"
#include "train/dense_targets.h"
#include "train/idle_backend.h"
#include "train/objective.h"
#include "train/start_model.h"
#include "train/trainee.h"

namespace paligemma {
namespace {

constexpr std::uint64_t kProgram = std::uint64_t{22} << 20;  // code, tokenizer, threads: measured
constexpr int kLoaderAhead = 64;
constexpr std::size_t kAddressSpace = std::size_t{1} << 38;  // of the plan's arena, which nobody touches

// A network whose tensors have their sizes and nothing in them.
Network sized_network(const Config& config) {
  Network network(config);
  visit(network, config, [](const std::string&, Weight& weight, const Shape& shape, Weight::Form form) {
    const bool flat = form == Weight::Form::vector && shape.size() == 1;
    weight.form = form;
    weight.rows = flat ? 1 : shape[0];
    weight.cols = flat ? shape[0] : product(shape, 1);
  });
  return network;
}

// Of each trained number: moments of the optimiser, and the average of the weights.
std::uint64_t kept_averages(const Recipe& recipe) {
  return (recipe.optimizer == "adamw" ? 2 : 1) + (recipe.ema > 0 ? 1 : 0);
}

struct TrainedSizes {
  AdapterSet set;
  std::vector<const Weight*> tensors;
  std::int64_t numbers = 0, factors = 0;  // of `factors` a copy is placed

  void add(const Weight& weight) {
    tensors.push_back(&weight);
    numbers += weight.rows * weight.cols;
  }
};

void size_trained(TrainedSizes& trained, const Recipe& recipe, Network& network, const Config& config) {
  if (recipe.mode == "full") {
    const NamePatterns frozen(recipe.freeze);
    visit(network, config, [&](const std::string& name, Weight& weight, const Shape&, Weight::Form) {
      if (!frozen.match(name)) trained.add(weight);
    });
    return;
  }
  const std::vector<std::string> modules = lora_modules(config, {.rank = recipe.rank, .targets = recipe.targets});
  visit(network, config, [&](const std::string& name, Weight& weight, const Shape&, Weight::Form) {
    if (std::ranges::find(modules, name.substr(0, name.rfind('.'))) == modules.end() || !name.ends_with(".weight"))
      return;
    LowRank& change = trained.set.products[&weight];
    change.a = {Weight::Form::matrix, DType::f32, recipe.rank, weight.cols};
    change.b = {Weight::Form::matrix, DType::f32, weight.rows, recipe.rank};
    trained.add(change.a), trained.add(change.b);
  });
  trained.factors = trained.numbers;
}

bool is_trained(const TrainedSizes& trained, const Weight& weight) {
  return trained.set.products.contains(&weight) || std::ranges::find(trained.tensors, &weight) != trained.tensors.end();
}

// The dense head's matrices are trained beside the network; what image tokens answer is kept with its gradient, before
// and behind each matrix.
void plan_dense_head(MemoryPlan& plan, const Recipe& recipe, const Config& config, const Backend& cpu,
                     std::int64_t pictures) {
  const auto questions = static_cast<std::uint64_t>(kDenseQuestions);
  const std::int64_t width = config.decoder.width;
  const std::uint64_t matrix = static_cast<std::uint64_t>(width * width) * sizeof(float);
  const std::uint64_t rows = static_cast<std::uint64_t>(pictures * config.vision.tokens() * width) * sizeof(float);
  plan.masters += questions * (matrix + cpu.matrix_bytes(width, width, DType::f32));
  plan.gradients += questions * matrix;
  plan.moments += questions * matrix * kept_averages(recipe);
  plan.activations += questions * rows * 4;
}

// `recipe.batch` examples of the longest kind, about so many pictures.
Batch longest_batch(const Recipe& recipe, const Config& config, const PlannedRows& rows, std::int64_t pictures) {
  Batch batch;
  const VisionConfig& vision = config.vision;
  for (std::int64_t i = 0; i < recipe.batch; ++i) {
    TokenExample example{.pictures = {i % pictures}, .behind = i < pictures ? -1 : i % pictures};
    example.prompt.assign(static_cast<std::size_t>(vision.tokens()), *config.image_token);
    example.prompt.resize(example.prompt.size() + static_cast<std::size_t>(rows.prompt_tokens), 0);
    example.answer.assign(static_cast<std::size_t>(rows.answer_tokens), 0);
    batch.examples.push_back(std::move(example));
  }
  batch.patches.resize(static_cast<std::size_t>(pictures * vision.tokens() * vision.patch_values()));
  return batch;
}

}  // namespace

MemoryPlan plan_memory(const Recipe& recipe, const ModelFiles& files, const PlannedRows& rows) {
  ModelOptions options = model_options(recipe);
  Config config = files.config;
  choose_softcaps(options, config.decoder);
  config.image_token = config.image_token.value_or(static_cast<int>(config.decoder.vocabulary));
  if (is_embedded(recipe) && options.compute == Compute::automatic) options.compute = Compute::f32;
  const Holding holding = holding_of(options);
  const auto cpu = make_cpu_backend({.threads = 1});
  MemoryPlan plan{.weights = weight_bytes(config, files.source, holding, *cpu)};

  Network network = sized_network(config);
  TrainedSizes trained;
  size_trained(trained, recipe, network, config);
  plan.trained = trained.numbers;
  const auto bytes = [](std::int64_t numbers) { return static_cast<std::uint64_t>(numbers) * sizeof(float); };
  plan.masters = bytes(trained.numbers);
  for (const Weight* tensor : trained.tensors)
    if (trained.factors > 0) plan.masters += cpu->matrix_bytes(tensor->rows, tensor->cols, DType::f32);
  plan.gradients = bytes(trained.numbers);
  plan.moments = bytes(trained.numbers) * kept_averages(recipe);

  const VisionTower& tower = network.vision;
  bool tower_trained = is_trained(trained, tower.patch.weight) || is_trained(trained, tower.norm.weight);
  for (const VisionBlock& block : tower.blocks)
    for (const Linear* layer : {&block.q, &block.k, &block.v, &block.out, &block.fc1, &block.fc2})
      tower_trained = tower_trained || is_trained(trained, layer->weight);

  IdleBackend idle(recipe.threads > 0 ? static_cast<int>(recipe.threads) : usable_cores());
  Objective objective(idle, config, network,
                      {.precision = holding.precision,
                       .image_token = *config.image_token,
                       .keep = recipe.checkpointing == "off" ? Keep::intermediates : Keep::inputs,
                       .tower_trained = tower_trained,
                       .arena_bytes = kAddressSpace});
  const std::int64_t pictures = rows.pictures > 0 ? std::min(rows.pictures, recipe.batch) : recipe.batch;
  const Batch batch = longest_batch(recipe, config, rows, pictures);
  const auto weights = loss_weights(batch.examples, LossMean::example);
  float nothing = 0;
  objective.run(batch, weights, trained.set.products.empty() ? nullptr : &trained.set,
                [&](Tape& tape) {
                  for (const Weight* tensor : trained.tensors)
                    tape.train(*tensor, View(&nothing, tensor->rows, tensor->cols));
                },
                {static_cast<float>(recipe.dropout), 0});
  plan.activations = objective.most_bytes();
  if (recipe.dense_head > 0) plan_dense_head(plan, recipe, config, *cpu, pictures);
  const std::uint64_t side = static_cast<std::uint64_t>(config.vision.image_size());
  plan.work = idle.scratch_bytes() + idle.cache_bytes() + kProgram + kLoaderAhead * 3 * side * side +
              static_cast<std::uint64_t>(recipe.batch * recipe.accumulate) *
                  (3 * side * side * (1 + sizeof(float)));  // pictures of a step, and their patches
  return plan;
}

MemoryPlan settle_checkpointing(Recipe& recipe, const ModelFiles& files, const PlannedRows& rows,
                                std::uint64_t available) {
  if (recipe.checkpointing == "auto") {
    recipe.checkpointing = "off";
    const MemoryPlan stored = plan_memory(recipe, files, rows);
    if (available == 0 || stored.total() <= available / 10 * 8) return stored;
    recipe.checkpointing = "on";
  }
  return plan_memory(recipe, files, rows);
}

std::string plan_text(const MemoryPlan& plan, std::uint64_t available) {
  std::string text;
  const auto line = [&](const char* name, std::uint64_t bytes) {
    text += join(name, ": ", readable_bytes(bytes), "\n");
  };
  text += join("trained: ", plan.trained, " numbers\n");
  line("weights", plan.weights);
  line("masters", plan.masters);
  line("gradients", plan.gradients);
  line("moments", plan.moments);
  line("activations", plan.activations);
  line("work", plan.work);
  line("in all", plan.total());
  if (available != 0) line("available", available);
  return text;
}

void require_plan(const MemoryPlan& plan, const Recipe& recipe, const ModelFiles& files, const PlannedRows& rows,
                  std::uint64_t available) {
  if (available == 0 || plan.total() <= available) return;
  std::string advice;
  const auto consider = [&](const std::string& flag, auto&& change) {
    Recipe other = recipe;
    change(other);
    const std::uint64_t total = plan_memory(other, files, rows).total();
    if (total < plan.total())
      advice += join(advice.empty() ? "" : ", ", flag, " (saves ", readable_bytes(plan.total() - total), ")");
  };
  if (recipe.checkpointing == "off") consider("--checkpointing on", [](Recipe& r) { r.checkpointing = "on"; });
  if (recipe.batch > 1) consider("--batch 1", [](Recipe& r) { r.batch = 1; });
  if (recipe.mode == "full") {
    consider("--mode lora", [](Recipe& r) { r.mode = "lora"; });
    consider("--optimizer sgd", [](Recipe& r) { r.optimizer = "sgd"; });
  }
  if (recipe.mode != "qlora") consider("--mode qlora", [](Recipe& r) { r.mode = "qlora", r.weights = "auto"; });
  fail(ErrorKind::resource, "out_of_memory", "not enough memory to train: ", files.where, ": needs ",
       readable_bytes(plan.total()), " (weights ", readable_bytes(plan.weights), ", masters, gradients and moments ",
       readable_bytes(plan.masters + plan.gradients + plan.moments), ", activations ", readable_bytes(plan.activations),
       "), ", readable_bytes(available), " are available. Try: ", advice);
}

}  // namespace paligemma
