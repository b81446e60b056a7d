// A model's answers about held-out examples, as metrics and as samples to look at.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "eval/evaluate.h"
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
  Record record{};        // without what was found
  Result result{};
};

// Answers in the order of `places`, without those whose pictures cannot be read; fewer when `stop` says so.
std::vector<ValidationAnswer> answer_samples(Pipeline& pipeline, const Dataset& data, const ValidationOptions& options,
                                             const std::function<void(std::size_t done)>& progress,
                                             const std::function<bool()>& stop);

// The same as what metrics compare. A record is of the task of its sample; rows whose text spells boxes are of detect
// or segment.
Record record_of(const ValidationAnswer& answer);
// What is there, nothing found yet: of a sample in pixels of its decoded picture.
Record record_of(const Sample& sample, const DecodedSample& truth, std::string_view prompt);

// Mean loss and perplexity of the examples' own answers.
struct LossValue {
  double loss = 0, perplexity = 0;
};
LossValue validation_loss(Objective& objective, Pipeline& pipeline, const Dataset& data,
                          const ValidationOptions& options, const AdapterSet* adapter);

// The patches of a picture that has the model's size.
std::vector<float> patches_of(const Pipeline& pipeline, const Picture& picture);

// One more example, with a picture of its own.
void add_example(Batch& batch, const Pipeline& pipeline, const Example& example, const TokenizeOptions& options);

}  // namespace paligemma
