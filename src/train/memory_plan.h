// What a run will take, by part, before anything is loaded: the forward pass and the tape run on a back end that
// computes nothing, and their memory is counted.
#pragma once

#include <string>
#include <vector>

#include "model/model_files.h"
#include "train/recipe.h"

namespace paligemma {

struct MemoryPlan {
  std::uint64_t weights = 0;  // of the network as it is held, padding of the back end's form included
  std::uint64_t masters = 0;  // trained numbers in f32, and what is placed of an adapter
  std::uint64_t gradients = 0;
  std::uint64_t moments = 0;      // of the optimiser, and the average of the weights
  std::uint64_t activations = 0;  // and their gradients
  std::uint64_t work = 0;         // of products, caches of keys, pictures made ahead, the program itself
  std::int64_t trained = 0;       // numbers

  std::uint64_t total() const { return weights + masters + gradients + moments + activations + work; }
};

// `answer_tokens`: of the longest answer; `prompt_tokens`: of the longest prompt, without the picture.
struct PlannedRows {
  std::int64_t prompt_tokens = 16, answer_tokens = 64;
  std::int64_t pictures = 0;  // of a batch, at most, where examples about one are packed; 0: each has its own
};
MemoryPlan plan_memory(const Recipe& recipe, const ModelFiles& files, const PlannedRows& rows);

// The plan, and whether blocks are kept or run again where the recipe leaves it open: kept where that takes at most
// four fifths of what is available (0: not known).
MemoryPlan settle_checkpointing(Recipe& recipe, const ModelFiles& files, const PlannedRows& rows,
                                std::uint64_t available);

// "weights 5.6 GiB, ..." one part a line, and what there is.
std::string plan_text(const MemoryPlan& plan, std::uint64_t available);

// Throws Error{resource, "out_of_memory"} with the settings that would save most when the plan is more than there is
// (`available` bytes; 0: not known).
void require_plan(const MemoryPlan& plan, const Recipe& recipe, const ModelFiles& files, const PlannedRows& rows,
                  std::uint64_t available);

}  // namespace paligemma
