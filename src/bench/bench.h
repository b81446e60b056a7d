// Speed of a published shape with random weights: the stages of one answer, as times and as shares of what the machine
// can do at all. Limits are measured in the same run, between the repetitions, since shared machines drift.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/shapes.h"
#include "bench/stage.h"
#include "io/json.h"
#include "model/load.h"

namespace paligemma {

struct BenchOptions {
  std::string shape;  // of shape_names()
  Holding holding{HeldAs::as_in_file, Precision::bf16};
  int threads = 0;           // 0: one for each core
  int batch = 1;             // prompts that are answered together, each with a picture of its own
  int prompt_tokens = 4;     // beside the image tokens
  int generated_tokens = 8;  // at least 2: the first comes with the prefill
  int repetitions = 10;
  double seconds = 120;           // after so many no other prompt is begun; the vision tower has its repetitions
  bool whole_last_block = false;  // without the saving of EngineOptions
  std::function<void(const std::string&)> progress{};  // told what begins
};

enum class TrainMode { lora, qlora, full };

constexpr std::string_view name(TrainMode mode) {
  return mode == TrainMode::lora ? "lora" : mode == TrainMode::qlora ? "qlora" : "full";
}

// What train_bench.h measured.
struct TrainBenchReport {
  TrainMode mode = TrainMode::lora;
  int rank = 0;  // 0: no LoRA
  bool checkpoint = false, cached_features = false;
  std::int64_t parameters = 0;  // that are trained
};

struct BenchReport {
  std::string shape, backend, weights, compute;
  Config config;
  int threads = 0, batch = 0, prompt_tokens = 0, generated_tokens = 0, repetitions = 0;
  MachineLimits limits;
  double load_s = 0;  // making and packing the weights
  std::uint64_t weight_bytes = 0;
  std::uint64_t peak_rss_bytes = 0;          // of training: since the weights were loaded
  std::optional<TrainBenchReport> training;  // generated_tokens are then those of an answer
  // vision: all pictures. prefill: all prompts. picture + prefill: both, as one follows the other. decode: a token of
  // each answer; every step is a sample. Empty when the limits alone were measured.
  std::vector<BenchStage> stages;
};

// Throws Error{usage, "shape"} for an unknown name, Error{resource, "out_of_memory"} before anything is allocated.
BenchReport run_bench(const BenchOptions& options);
// The same for any sizes; options.shape is their name.
BenchReport run_bench(const Config& config, const BenchOptions& options);
// The machine's limits alone.
BenchReport measure_limits(const BenchOptions& options);

// bench_report.cc. The schema "paligemma.bench/1" is described in docs/performance.md.
std::string bench_table(const BenchReport& report);
Json bench_json(const BenchReport& report);

}  // namespace paligemma
