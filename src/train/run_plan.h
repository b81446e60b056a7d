// What a run would do, before it does it: data, memory, time, and the first examples as the model would learn them.
#pragma once

#include "train/memory_plan.h"
#include "train/recipe.h"

namespace paligemma {

struct PlannedSample {
  std::string prompt{}, target{};
  std::vector<std::byte> picture{};  // a JPEG with the target drawn, as read back from its own tokens
};

struct RunPlan {
  std::string summary{};
  Recipe recipe{};  // with what it leaves open settled
  std::size_t training = 0, validation = 0;
  MemoryPlan memory{};
  std::uint64_t available = 0;
  double seconds_a_step = 0;  // of one batch that was tried; 0: there is not enough memory to try
  std::vector<PlannedSample> samples{};
};

// Loads the model and tries one batch where that fits. Nothing is written.
RunPlan plan_run(Recipe recipe, std::size_t samples = 8);

std::string plan_text(const RunPlan& plan);

}  // namespace paligemma
