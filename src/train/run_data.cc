#include "train/run_data.h"

#include <cstdlib>

#include "data/loader.h"
#include "data/target.h"

namespace paligemma {
namespace {

DatasetOptions dataset_options(const Recipe& recipe) {
  DatasetOptions options{.pictures = recipe.images, .prefix = recipe.prefix};
  if (recipe.task == "detect") options.task = SampleTask::detect;
  if (recipe.task == "segment") options.task = SampleTask::segment;
  return options;
}

}  // namespace

Dataset open_eval_data(const Recipe& recipe) {
  Dataset data = open_dataset(recipe.data, dataset_options(recipe));
  if (recipe.detect_prompt == "each") data.samples = split_by_class(std::move(data.samples));
  return data;
}

RunData open_run_data(const Recipe& recipe, const std::string& listing) {
  RunData run;
  run.data = open_eval_data(recipe);
  char* end = nullptr;
  const double share = recipe.val.empty() ? 0.1 : std::strtod(recipe.val.c_str(), &end);
  const bool is_share = recipe.val.empty() || (end && *end == '\0' && share >= 0 && share < 1);
  if (!is_share) {
    Dataset held_out = open_dataset(recipe.val, dataset_options(recipe));
    for (Sample& sample : run.data.samples) sample.split = Split::train;
    for (Sample& sample : held_out.samples) {
      sample.split = Split::validation;
      sample.id = "val/" + sample.id;
      run.data.samples.push_back(std::move(sample));
    }
  } else if (share > 0) {
    hold_out(run.data, share, static_cast<std::uint64_t>(recipe.seed));
  } else {
    for (Sample& sample : run.data.samples)
      if (sample.split == Split::none) sample.split = Split::train;
  }
  run.training = places_of(run.data, Split::train);
  run.validation = places_of(run.data, Split::validation);
  run.summary = summary(run.data, listing);
  return run;
}

}  // namespace paligemma
