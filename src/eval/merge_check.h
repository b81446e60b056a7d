// Whether a model with an adapter merged into its weights still says what it says with the adapter attached.
#pragma once

#include <paligemma/paligemma.h>

#include <filesystem>
#include <functional>

#include "eval/compare.h"

namespace paligemma {

// Of one caption of the embedded photograph: the attached model answers greedily, the others are led through that
// answer. Everything is computed in f32, so that what differs is the weights.
struct MergeCheck {
  std::size_t tokens = 0, equal_tokens = 0;  // where the merged model's most probable token is the attached one's
  double difference = 0;                     // the largest of a logit, merged against attached
  double effect = 0;                         // the largest of a logit, the model with the adapter against without

  // The adapter's work is more than what rounding has made of it.
  bool keeps_adapter() const { return effect == 0 || 2 * difference < effect; }
};

// `attached` names one adapter. The models are opened one after the other. Throws as Model::open and Model::answer do.
MergeCheck check_merge(const ComparedModel& attached, const std::filesystem::path& merged,
                       const std::function<bool()>& stop = {});

}  // namespace paligemma
