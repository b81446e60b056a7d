// The model that a run begins with.
#pragma once

#include "data/dataset.h"
#include "model/model_files.h"
#include "train/recipe.h"

namespace paligemma {

// Whether it is the one inside the program.
bool is_embedded(const Recipe& recipe);

// What new_model, init in mode full, or model says, in a folder that has the recipe's codec where it names one: what is
// made of the model has it too. A new one has the recipe's tokenizer, or one that is learned from
// the texts of `data`. Throws Error{usage, "new_model"} for settings that contradict each other, and as
// find_model(), parse_new_model() and new_model_files().
ModelFiles start_model(const Recipe& recipe, const Dataset& data);

}  // namespace paligemma
