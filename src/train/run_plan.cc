#include "train/run_plan.h"

#include <chrono>

#include "base/error.h"
#include "base/memory.h"
#include "detect/mask.h"
#include "detect/parse.h"
#include "report/printable.h"
#include "train/run_settings.h"
#include "train/sample_picture.h"
#include "train/start_model.h"

namespace paligemma {
namespace {

// The target's own tokens, read and drawn as an answer's are.
std::vector<std::byte> drawn_target(const Example& example, const Pipeline& pipeline) {
  Result result{.width = example.picture.width, .height = example.picture.height};
  result.text = example.target.text();
  const Frame frame{example.picture.width, example.picture.height, pipeline.config.loc_divisor};
  result.objects = parse_objects(result.text, frame, {}).objects;
  for (Object& object : result.objects)
    if (object.seg && pipeline.codec)
      object.mask = paste_mask(pipeline.codec->decode(*object.seg), object, frame, MaskProfile::standard);
  return sample_picture(example.picture, result);
}

// Forward and backward of one batch as it will be, times the batches of a step.
double try_batch(const Recipe& recipe, Trainee& trainee, const std::vector<Example>& examples,
                 std::size_t arena_bytes) {
  Pipeline& pipeline = *trainee.pipeline;
  const TokenizeOptions options = tokenize_options(recipe, pipeline);
  Batch batch;
  for (const Example& example : examples) add_example(batch, pipeline, example, options);
  Objective objective(*pipeline.backend, pipeline.config, pipeline.network,
                      objective_options(recipe, trainee, arena_bytes));
  const auto start = std::chrono::steady_clock::now();
  objective.run(batch, loss_weights(batch.examples, LossMean::example), trainee.adapter_set(),
                [&](Tape& tape) { trainee.train_on(tape); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count() * static_cast<double>(recipe.accumulate);
}

}  // namespace

RunPlan plan_run(Recipe recipe, std::size_t samples) {
  const RunData data = open_run_data(recipe);
  ModelFiles files = start_model(recipe, data.data);
  settle_recipe(recipe, data, parameter_count(files.config));
  RunPlan plan{.summary = data.summary,
               .training = data.training.size(),
               .validation = data.validation.size(),
               .available = available_memory()};
  plan.memory = settle_checkpointing(recipe, files, planned_rows(data, recipe), plan.available);
  plan.recipe = recipe;
  if (plan.available != 0 && plan.memory.total() > plan.available) return plan;
  const auto trainee = open_trainee(recipe, std::move(files));
  LoaderOptions loading = training_loader(recipe, *trainee);
  std::vector<Example> examples;
  for (const std::size_t place : data.training) {
    if (examples.size() == std::max(samples, static_cast<std::size_t>(recipe.batch))) break;
    try {
      examples.push_back(make_example(data.data, place, loading, 0));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
    }
  }
  for (std::size_t i = 0; i < examples.size() && i < samples; ++i)
    plan.samples.push_back(
        {examples[i].target.prefix, examples[i].target.text(), drawn_target(examples[i], *trainee->pipeline)});
  if (std::ssize(examples) > recipe.batch) examples.resize(static_cast<std::size_t>(recipe.batch));
  if (!examples.empty()) plan.seconds_a_step = try_batch(recipe, *trainee, examples, plan.memory.activations);
  return plan;
}

std::string plan_text(const RunPlan& plan) {
  const Recipe& recipe = plan.recipe;
  std::string text = plan.summary;
  if (!text.ends_with('\n')) text += '\n';
  text += join("to learn from: ", plan.training, ", held out: ", plan.validation, "\n");
  text += join("steps: ", recipe.steps, " of ", recipe.batch, " x ", recipe.accumulate, " examples, lr ", recipe.lr,
               ", ", recipe.schedule, ", warm-up ", recipe.warmup, "\n");
  text += plan_text(plan.memory, plan.available);
  text += plan.seconds_a_step > 0
              ? join("time: about ", readable_time(plan.seconds_a_step * static_cast<double>(recipe.steps)),
                     " without evaluations\n")
              : "time: not known, there is not enough memory to try a step\n";
  for (const PlannedSample& sample : plan.samples)
    text += join("  ", printable(sample.prompt), "  ->  ", printable(sample.target), "\n");
  return text;
}

}  // namespace paligemma
