// A run from its recipe to its end: data, model, the loop, evaluations, checkpoints, and what is told on the way.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "train/checkpoint.h"
#include "train/progress.h"
#include "train/recipe.h"

namespace paligemma {

// What a run asks and tells the program around it.
struct RunHooks {
  std::function<void(const std::string& text)> note{};     // a line for people
  std::function<void(const std::string& text)> warning{};  // the same, about something that is not right
  std::function<void(const RunProgress&)> progress{};
  std::function<void(std::size_t done, std::size_t all)> evaluating{};
  std::function<bool()> stop{};  // end after this step, with a checkpoint
};

struct RunResult {
  RunPosition position;
  double loss = 0;        // of the last step
  std::string stopped{};  // why before the last step: "interrupted", "patience"; empty: not
  std::vector<std::pair<std::string, double>> metrics{};  // of the last evaluation
};

// A new run in recipe.out, or with `resume` the one that is there going on. Throws Error{usage, "out_exists"} for a
// folder that has a run, and what parts of it throw. A run that cannot go on, as losses are no numbers any more, ends
// in Error{failure, "diverged"}.
RunResult train(Recipe recipe, bool resume, const RunHooks& hooks);

}  // namespace paligemma
