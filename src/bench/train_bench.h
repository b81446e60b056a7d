// Speed of a training step of a published shape with random weights, with the same figures as those of an answer.
#pragma once

#include "bench/bench.h"
#include "train/objective.h"

namespace paligemma {

struct TrainBenchOptions {
  std::string shape;  // of shape_names()
  Holding holding{HeldAs::as_in_file, Precision::bf16};
  int threads = 0;         // 0: one for each core
  int batch = 1;           // examples, each with a picture of its own
  int prompt_tokens = 4;   // beside the image tokens
  int answer_tokens = 32;  // the last one is predicted only
  int repetitions = 10;    // steps
  double seconds = 120;    // after so many no other step is begun
  TrainMode mode = TrainMode::lora;
  int rank = 8;  // of LoRA, on the decoder's projections
  Keep keep = Keep::intermediates;
  bool cached_features = false;  // what the vision tower makes of the pictures is there before the step
  std::function<void(const std::string&)> progress{};  // told what begins
};

// Stages: the step, of which are vision (the tower and the projector), forward (the decoder and the head), backward and
// optimiser; and products, which is all that multiplies matrices. Of the step and of products the ops are kinds of
// calls, of the others calls of one shape. The same errors as run_bench().
BenchReport run_train_bench(const TrainBenchOptions& options);
// The same for any sizes; options.shape is their name.
BenchReport run_train_bench(const Config& config, const TrainBenchOptions& options);

}  // namespace paligemma
