// A run from its recipe to its end: data, model, the loop, evaluations, checkpoints, and what is told on the way.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "data/dataset.h"
#include "train/checkpoint.h"
#include "train/memory_plan.h"
#include "train/progress.h"
#include "train/recipe.h"
#include "train/validation.h"

namespace paligemma {

// What a run asks and tells the program around it.
struct RunHooks {
  std::function<void(const std::string& text)> note{};     // a line for people
  std::function<void(const std::string& text)> warning{};  // the same, about something that is not right
  std::function<void(const RunProgress&)> progress{};
  std::function<void(std::size_t done, std::size_t all)> evaluating{};
  std::function<bool()> stop{};  // end after this step, with a checkpoint
};

// The data of a run: what is learnt from and what is held out.
struct RunData {
  Dataset data;
  std::vector<std::size_t> training, validation;  // places in data.samples
  std::string summary;
};
RunData open_run_data(const Recipe& recipe, const RunHooks& hooks);

// The whole of a data set, its splits as it has them: for an evaluation.
Dataset open_eval_data(const Recipe& recipe);
// Examples as the model sees and answers them outside of training, without any yet.
ValidationOptions evaluation_options(const Recipe& recipe, const ModelFiles& files, const Pipeline& pipeline);

// How the examples of a run are made, and what its forward passes are.
LoaderOptions training_loader(const Recipe& recipe, const Trainee& trainee);
ObjectiveOptions objective_options(const Recipe& recipe, const Trainee& trainee, std::size_t arena_bytes);

// Steps, rates and the like that the recipe leaves open, from the size of model and data: what recipe.toml then says.
void settle_recipe(Recipe& recipe, const RunData& data, std::uint64_t parameters);

// The longest rows that the data makes, as well as its letters tell.
PlannedRows planned_rows(const RunData& data, const Recipe& recipe);
// settle_checkpointing() with the memory that there is. Throws as require_plan() does.
MemoryPlan settle_memory(Recipe& recipe, const ModelFiles& files, const RunData& data);

struct RunResult {
  RunPosition position;
  double loss = 0;        // of the last step
  std::string stopped{};  // why before the last step: "interrupted", "patience"; empty: not
  std::vector<std::pair<std::string, double>> metrics{};  // of the last evaluation
};

// A new run in recipe.out, or with `resume` the one that is there going on. Throws Error{usage, "out_exists"} for a
// folder that has a run, and what parts of it throw. A run that cannot go on, as losses are no numbers any more, ends
// in Error{failure, "diverged"}.
RunResult train(Recipe recipe, bool resume, const RunHooks& hooks);

}  // namespace paligemma
