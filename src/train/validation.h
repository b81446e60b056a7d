// A model's answers about held-out examples, as metrics and as samples to look at.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "pipeline.h"
#include "train/objective.h"
#include "train/tokens.h"

namespace paligemma {

struct ValidationOptions {
  LoaderOptions loader{};  // without augmentation and shuffling: as the model sees and answers it
  TokenizeOptions tokens{};
  std::vector<std::size_t> places{};  // of the samples that are asked about
  std::int64_t answer_tokens = 512;
  std::size_t drawn = 8;  // of them that a report shows
};

// One example with what the model made of it.
struct ValidationAnswer {
  std::size_t place = 0;  // in Dataset::samples
  Target target{};
  DecodedSample truth{};  // without its picture, unless it is one of those to be drawn
  Result result{};
};

// Answers in the order of `places`, without those whose pictures cannot be read. `adapter`: Request::adapter.
std::vector<ValidationAnswer> answer_samples(Pipeline& pipeline, const Dataset& data, const ValidationOptions& options,
                                             const std::function<void(std::size_t done)>& progress,
                                             const std::function<bool()>& stop);

// Mean loss and perplexity of the examples' own answers.
struct LossValue {
  double loss = 0, perplexity = 0;
};
LossValue validation_loss(Objective& objective, Pipeline& pipeline, const Dataset& data,
                          const ValidationOptions& options, const AdapterSet* adapter);

// The patches of a picture that has the model's size.
std::vector<float> patches_of(const Pipeline& pipeline, const Picture& picture);

}  // namespace paligemma
