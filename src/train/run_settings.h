// What a recipe means for the parts of a run, and what it leaves open.
#pragma once

#include "data/loader.h"
#include "train/memory_plan.h"
#include "train/objective.h"
#include "train/run_data.h"
#include "train/trainee.h"
#include "train/validation.h"

namespace paligemma {

// Steps, rates and the like, from the size of model and data: what recipe.toml then says. Throws Error{usage,
// "noise_boxes"} for data that has no use for them.
void settle_recipe(Recipe& recipe, const RunData& data, std::uint64_t parameters);

// The longest rows that the data makes, as well as its letters tell.
PlannedRows planned_rows(const RunData& data, const Recipe& recipe);
// settle_checkpointing() with the memory that there is. Throws as require_plan() does.
MemoryPlan settle_memory(Recipe& recipe, const ModelFiles& files, const RunData& data);

// How the examples of a run are made, and what its forward passes are. Throws Error{usage, "pack"} for what cannot be.
LoaderOptions training_loader(const Recipe& recipe, const Trainee& trainee);
TokenizeOptions tokenize_options(const Recipe& recipe, const Pipeline& pipeline);
ObjectiveOptions objective_options(const Recipe& recipe, const Trainee& trainee, std::size_t arena_bytes);
// Examples as the model sees and answers them outside of training, without any yet.
ValidationOptions evaluation_options(const Recipe& recipe, const ModelFiles& files, const Pipeline& pipeline);

}  // namespace paligemma
