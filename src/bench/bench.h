// Speed of a published shape with random weights: the stages of one answer, as times and as shares of what the machine
// can do at all. Limits are measured in the same run, between the repetitions, since shared machines drift.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/shapes.h"
#include "io/json.h"
#include "model/load.h"

namespace paligemma {

struct BenchOptions {
  std::string shape;  // of shape_names()
  Holding holding{HeldAs::as_in_file, Precision::bf16};
  int threads = 0;           // 0: one for each core
  int prompt_tokens = 4;     // beside the image tokens
  int generated_tokens = 8;  // at least 2: the first comes with the prefill
  int repetitions = 5;
  bool whole_last_block = false;                       // without the saving of EngineOptions
  std::function<void(const std::string&)> progress{};  // told what begins
};

// What one kind of call took within a stage, all of its calls together. The share is of the time that the machine needs
// at least for the products or for reading the weights, whichever is longer; 0 for what has neither.
struct BenchOp {
  std::string name;  // function and shape: "linear 260 x 2304 -> 9216"
  std::int64_t calls = 0;
  double median_ms = 0, min_ms = 0, max_ms = 0;
  double gflops = 0, gbs = 0;  // a second
  double share = 0;
};

struct BenchStage {
  std::string name;      // vision, prefill, decode
  double median_ms = 0;  // of one picture, one prompt, one token
  double min_ms = 0, max_ms = 0;
  double amount = 0;         // GFLOP of products, or GB of weights and cache read
  double rate = 0;           // amount a second, from the median
  std::string unit;          // "GFLOP/s" or "GB/s"
  double share = 0;          // of the machine's limit
  std::vector<BenchOp> ops;  // the longest first
};

struct BenchReport {
  std::string shape, backend, weights, compute;
  int threads = 0;
  double peak_gflops = 0;  // multiply-adds in registers, best of all probes
  double read_gbs = 0;     // memory read, best of all probes
  double load_s = 0;       // making and packing the weights
  std::uint64_t weight_bytes = 0;
  std::uint64_t peak_rss_bytes = 0;
  std::vector<BenchStage> stages;
};

// Throws Error{usage, "shape"} for an unknown name, Error{resource, "out_of_memory"} before anything is allocated.
BenchReport run_bench(const BenchOptions& options);

std::string bench_table(const BenchReport& report);
Json bench_json(const BenchReport& report);

}  // namespace paligemma
