// Examples with their pictures as one batch of the objective.
#pragma once

#include <map>
#include <string>

#include "data/loader.h"
#include "train/objective.h"
#include "train/trainee.h"

namespace paligemma {

// What the vision tower makes of pictures that come again, by sample.
class FeatureStore {
 public:
  const std::vector<float>* find(std::size_t sample) const;
  // Not kept when it would be more than kMostBytes with what is there.
  void keep(std::size_t sample, std::span<const float> features);

 private:
  static constexpr std::uint64_t kMostBytes = 1ull << 30;
  std::uint64_t bytes_ = 0;
  std::map<std::size_t, std::vector<float>> features_;
};

class BatchMaker {
 public:
  // All must outlive it. `same_pictures`: a sample's picture is the same each time it comes, so that of those that
  // several examples of a batch ask about one is seen, and with a frozen tower each is seen once in a run. `pack`: such
  // examples go on behind the first of them (TokenExample::behind).
  BatchMaker(const Trainee& trainee, const Dataset& data, Objective& objective, bool same_pictures, bool pack)
      : trainee_(trainee),
        data_(data),
        objective_(objective),
        same_(same_pictures),
        pack_(pack),
        stored_(same_pictures && trainee.tower_is_frozen()) {}

  Batch make(std::span<const Example> examples, std::span<const TokenExample> tokens);

 private:
  std::vector<float> seen(const Example& example);
  // Of a picture that several examples are about the first one says what is there.
  void ask_tokens(Batch& batch, const Example& example, std::int64_t picture) const;

  const Trainee& trainee_;
  const Dataset& data_;
  Objective& objective_;
  bool same_, pack_, stored_;
  FeatureStore features_;
};

}  // namespace paligemma
