#include "train/run_data.h"

#include <cstdlib>

#include "base/error.h"
#include "data/loader.h"
#include "data/target.h"
#include "scenes/source.h"

namespace paligemma {
namespace {

DatasetOptions dataset_options(const Recipe& recipe) {
  DatasetOptions options{.pictures = recipe.images, .prefix = recipe.prefix};
  if (recipe.task == "detect") options.task = SampleTask::detect;
  if (recipe.task == "segment") options.task = SampleTask::segment;
  return options;
}

Dataset open_data(const std::string& name, const Recipe& recipe) {
  return world::names_scenes(name) ? world::open_scenes(name) : open_dataset(name, dataset_options(recipe));
}

std::function<DecodedSample(std::size_t, std::uint64_t)> drawing_of(const Dataset& data) {
  if (data.drawn) return data.drawn;
  return [samples = std::make_shared<const std::vector<Sample>>(data.samples)](std::size_t place, std::uint64_t) {
    return decode_sample((*samples)[place]);
  };
}

// Behind the others; held-out samples that are drawn stay those of the first epoch.
void append_held_out(Dataset& data, Dataset held_out) {
  if (data.drawn || held_out.drawn)
    data.drawn = [count = data.samples.size(), first = drawing_of(data), second = drawing_of(held_out)](
                     std::size_t place, std::uint64_t epoch) {
      return place < count ? first(place, epoch) : second(place - count, 0);
    };
  for (Sample& sample : held_out.samples) {
    sample.split = Split::validation;
    sample.id = "val/" + sample.id;
    data.samples.push_back(std::move(sample));
  }
}

}  // namespace

Dataset open_eval_data(const Recipe& recipe) {
  Dataset data = open_data(recipe.data, recipe);
  if (recipe.detect_prompt != "each") return data;
  if (data.drawn)
    fail(ErrorKind::usage, "detect_prompt", "--detect-prompt each is about samples in files: scenes have prompts of ",
         "their own, got ", recipe.data);
  data.samples = split_by_class(std::move(data.samples));
  return data;
}

RunData open_run_data(const Recipe& recipe, const std::string& listing) {
  RunData run;
  run.data = open_eval_data(recipe);
  char* end = nullptr;
  const double share = recipe.val.empty() ? 0.1 : std::strtod(recipe.val.c_str(), &end);
  const bool is_share = recipe.val.empty() || (end && *end == '\0' && share >= 0 && share < 1);
  if (!is_share) {
    for (Sample& sample : run.data.samples) sample.split = Split::train;
    append_held_out(run.data, open_data(recipe.val, recipe));
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
