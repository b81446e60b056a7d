// The data of a run: what is learnt from and what is held out.
#pragma once

#include "data/dataset.h"
#include "train/recipe.h"

namespace paligemma {

struct RunData {
  Dataset data;
  std::vector<std::size_t> training, validation;  // places in data.samples
  std::string summary;
};
// `listing`: where the summary says that problems are listed; empty: nowhere.
RunData open_run_data(const Recipe& recipe, const std::string& listing = {});

// The whole of a data set, its splits as it has them: for an evaluation.
Dataset open_eval_data(const Recipe& recipe);

}  // namespace paligemma
