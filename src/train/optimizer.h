// AdamW, SGD with momentum and Muon over the trained tensors, after torch.optim; clipping by the global norm; an
// average of the weights over time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "train/parameters.h"

namespace paligemma {

enum class OptimizerKind { adamw, sgd, muon };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adamw;  // muon is for matrices; everything else goes the way of adamw
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double momentum = 0.9;  // of sgd
  double muon_momentum = 0.95;
  double weight_decay = 0;               // times the learning rate
  bool decay_all = false;                // or matrices only
  double clip = 1;                       // of the global norm of the gradients; 0: none
  bool clip_adamw_only = false;          // muon's steps do not depend on the length of a gradient
  double ema = 0;                        // decay of the average of the weights; 0: none
  Precision precision = Precision::f32;  // of muon's products, of which torch takes the operands in bf16
  int threads = 1;                       // 0: one for each core; results do not depend on it
};

struct StepRates {
  double lr = 0;
  double lr_adamw = 0;  // beside muon
};

struct StepResult {
  double gradient_norm = 0;  // of all gradients, before clipping
  bool skipped = false;      // a gradient was not finite, and nothing has changed
};

class Optimizer {
 public:
  // `parameters` must outlive it, and get no more of them.
  Optimizer(Parameters& parameters, Backend& backend, const OptimizerOptions& options);

  // Takes finished gradients to new values. They are not placed.
  StepResult step(const StepRates& rates);

  std::int64_t steps() const { return steps_; }

  // What a checkpoint keeps: the moments and averages by "<name>.<kind>".
  std::map<std::string, std::span<float>> state();
  void resume_at(std::int64_t steps) { steps_ = steps; }
  // The values and their averages change places; nothing without ema.
  void swap_with_average();

 private:
  struct Moments {
    std::vector<float> first, second, average;
  };
  bool by_muon(const Parameter& parameter) const {
    return options_.kind == OptimizerKind::muon && parameter.matrix && !parameter.table;
  }
  double decay(const Parameter& parameter) const {
    return options_.decay_all || parameter.matrix ? options_.weight_decay : 0;
  }
  void adamw(Parameter& parameter, Moments& moments, double lr, float scale) const;
  void sgd(Parameter& parameter, Moments& moments, double lr, float scale) const;
  void muon(Parameter& parameter, Moments& moments, double lr, float scale, Backend& backend) const;
  void orthogonalize(std::vector<float>& update, std::int64_t rows, std::int64_t cols, Backend& backend) const;
  // With the part of the gradients' factor that clips it.
  void update(std::size_t i, const StepRates& rates, float factor, Backend& backend);

  Parameters& parameters_;
  Backend& backend_;
  OptimizerOptions options_;
  std::vector<Moments> moments_;
  std::int64_t steps_ = 0;
  // Small matrices are a thread's each, with a back end of its own.
  ThreadPool pool_;
  std::vector<std::unique_ptr<Backend>> alone_;
};

enum class Schedule { constant, cosine, linear, trapezoid };

// The factor of the peak learning rate in step `step` of `steps`, both from 0: a line from 0 up in the first `warmup`
// steps, then as the schedule says, to 0 at the end.
double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t steps, std::int64_t warmup);

}  // namespace paligemma
