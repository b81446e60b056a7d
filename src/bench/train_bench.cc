#include "bench/train_bench.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/memory.h"
#include "pipeline.h"
#include "train/optimizer.h"
#include "train/trained_adapter.h"

namespace paligemma {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{4} << 30;  // address space: in one piece, as a run's plan makes it

using StepClock = OpClock::Clock;

double ms_since(StepClock::time_point start) {
  return std::chrono::duration<double, std::milli>(StepClock::now() - start).count();
}

Batch make_batch(const Config& config, const TrainBenchOptions& options) {
  Batch batch{.patches = random_patches(config, options.batch)};
  const auto token = [&](int i) { return static_cast<std::int32_t>((1000 + i) % *config.image_token); };
  for (int b = 0; b < options.batch; ++b) {
    TokenExample& example = batch.examples.emplace_back();
    example.prompt.assign(static_cast<std::size_t>(config.vision.tokens()), *config.image_token);
    for (int i = 0; i < options.prompt_tokens; ++i) example.prompt.push_back(token(i + b));
    for (int i = 0; i < options.answer_tokens; ++i) example.answer.push_back(token(3 * i + b));
    example.pictures = {b};
  }
  return batch;
}

// Values, gradients and the two moments of AdamW.
std::uint64_t trained_bytes(const Config& config, const TrainBenchOptions& options) {
  constexpr std::uint64_t kOfParameter = 4 * sizeof(float);
  if (options.mode == TrainMode::full) return kOfParameter * parameter_count(config);
  return 0;  // of LoRA little
}

// One step after another, and their times.
struct Steps {
  const TrainBenchOptions& options;
  const Config& config;
  Network& network;
  OpClock& clock;
  Parameters parameters{clock};
  AdapterSet set{};
  std::optional<TrainedAdapter> adapter{};
  std::optional<Optimizer> optimizer{};
  Objective objective;
  Batch batch;
  std::vector<std::vector<float>> weights;
  StageTimes step{}, vision{}, forward{}, backward{}, optimiser{}, products{};
  Work vision_work{}, forward_work{}, backward_work{};

  Steps(const TrainBenchOptions& options, const Config& config, Network& network, OpClock& clock,
        const TensorSource& source)
      : options(options),
        config(config),
        network(network),
        clock(clock),
        objective(clock, config, network,
                  {.precision = options.holding.precision,
                   .image_token = *config.image_token,
                   .keep = options.keep,
                   .arena_bytes = kArenaBytes}),
        batch(make_batch(config, options)),
        weights(loss_weights(batch.examples, LossMean::example)) {
    if (options.mode == TrainMode::full) {
      add_network(parameters, network, config, source, NamePatterns({}));
    } else {
      adapter.emplace(LoraOptions{.rank = options.rank}, 1,
                      TrainedAdapter::Place{network, config, source, options.holding, clock, parameters, set});
    }
    optimizer.emplace(parameters, clock, OptimizerOptions{});
    if (options.cached_features) {
      const std::int64_t values = config.vision.patch_values();
      const std::int64_t rows = static_cast<std::int64_t>(batch.patches.size()) / values;
      batch.features = objective.features({batch.patches.data(), rows, values}, nullptr);
      batch.patches.clear();
    }
  }

  void run(bool counts) {
    clock.reset();
    const auto start = StepClock::now();
    objective.run(batch, weights, adapter ? &adapter->set() : nullptr,
                  [&](Tape& tape) { adapter ? adapter->train_on(tape) : parameters.train_on(tape); });
    const auto end = StepClock::now();
    adapter ? adapter->finish_gradients() : parameters.finish_gradients();
    optimizer->step({.lr = 1e-5, .lr_adamw = 1e-5});
    adapter ? adapter->place() : parameters.place();
    parameters.zero_gradients();
    if (!counts) return;
    const double optimiser_ms = ms_since(end);
    step.add(ms_since(start), of_kinds());
    optimiser.add(optimiser_ms, {});
    add_passes(end);
  }

 private:
  // What the whole step did, by the first word of the names.
  OpClock::Ops of_kinds() const {
    OpClock::Ops kinds;
    for (const OpClock::Pass& pass : clock.passes())
      for (const auto& [name, op] : pass.ops) add_ops({{name.substr(0, name.find(' ')), op}}, kinds);
    return kinds;
  }

  // The first pass ends with the picture's embeddings, the second with the first cross entropy.
  void add_passes(StepClock::time_point end) {
    const std::vector<OpClock::Pass>& passes = clock.passes();
    const auto ms = [](StepClock::time_point from, StepClock::time_point to) {
      return std::chrono::duration<double, std::milli>(to - from).count();
    };
    OpClock::Ops later, multiplying;
    for (std::size_t i = 2; i < passes.size(); ++i) add_ops(passes[i].ops, later);
    vision.add(ms(passes[0].start, passes[1].start), passes[0].ops);
    forward.add(ms(passes[1].start, passes[2].start), passes[1].ops);
    backward.add(ms(passes[2].start, end), later);
    vision_work = work_of(passes[0].ops), forward_work = work_of(passes[1].ops), backward_work = work_of(later);
    double seconds = 0;
    for (const auto& [name, op] : of_kinds()) {
      if (op.work.gflop == 0) continue;
      multiplying[name] = op;
      seconds += op.seconds;
    }
    products.add(1000 * seconds, multiplying);
  }
  static Work work_of(const OpClock::Ops& ops) {
    Work work;
    for (const auto& [name, op] : ops) work.gflop += op.work.gflop, work.gb += op.work.gb;
    return work;
  }
};

void run_steps(Steps& steps, LimitProbes& limits) {
  const TrainBenchOptions& options = steps.options;
  const auto progress = [&](const std::string& text) {
    if (options.progress) options.progress(text);
  };
  progress("warm-up");
  steps.run(false);
  const auto start = StepClock::now();
  for (int i = 0; i < options.repetitions && (i == 0 || ms_since(start) < 1000 * options.seconds); ++i) {
    limits.probe();
    progress("step " + std::to_string(i + 1) + " of " + std::to_string(options.repetitions));
    steps.run(true);
  }
  limits.probe();
}

void add_stages(const Steps& steps, BenchReport& report) {
  const auto add = [&](const char* name, const StageTimes& times, const Work& work) {
    report.stages.push_back(times.stage(name, work, report.limits, steps.options.holding.precision));
  };
  Work all;
  for (const Work& work : {steps.vision_work, steps.forward_work, steps.backward_work})
    all.gflop += work.gflop, all.gb += work.gb;
  add("step", steps.step, all);
  add("vision", steps.vision, steps.vision_work);
  add("forward", steps.forward, steps.forward_work);
  add("backward", steps.backward, steps.backward_work);
  add("optimiser", steps.optimiser, {});
  add("products", steps.products, all);
}

}  // namespace

BenchReport run_train_bench(const TrainBenchOptions& options) {
  return run_train_bench(published_config(options.shape), options);
}

BenchReport run_train_bench(const Config& config, const TrainBenchOptions& options) {
  const auto backend = make_cpu_backend({.threads = options.threads});
  const TensorSource source = random_source(config, 1);
  const std::int64_t rows = config.vision.tokens() + options.prompt_tokens + options.answer_tokens - 1;
  MemoryNeed need = memory_need(config, source, options.holding, *backend, options.batch * (rows + kKvBlockTokens - 1),
                                options.batch);
  need.work += trained_bytes(config, options);
  require_memory(options.shape, need);
  if (options.progress) options.progress("weights: " + readable_bytes(need.weights));
  const auto load_start = StepClock::now();
  Network network = load_network(config, source, options.holding, *backend);
  const double load_s = ms_since(load_start) / 1000;

  OpClock clock(*backend);
  LimitProbes probes(*backend, options.threads);
  forget_peak_memory();
  Steps steps(options, config, network, clock, source);
  run_steps(steps, probes);

  BenchReport report{.shape = options.shape,
                     .backend = std::string(backend->name()),
                     .weights = std::string(name(network.decoder.blocks.front().gate.dtype)),
                     .compute = std::string(name(options.holding.precision)),
                     .config = config,
                     .threads = probes.threads(),
                     .batch = options.batch,
                     .prompt_tokens = options.prompt_tokens,
                     .generated_tokens = options.answer_tokens,
                     .repetitions = options.repetitions,
                     .limits = probes.limits(),
                     .load_s = load_s,
                     .weight_bytes = need.weights,
                     .peak_rss_bytes = peak_memory()};
  report.training = TrainBenchReport{.mode = options.mode,
                                     .rank = options.mode == TrainMode::full ? 0 : options.rank,
                                     .checkpoint = options.keep == Keep::inputs,
                                     .cached_features = options.cached_features,
                                     .parameters = steps.parameters.count()};
  add_stages(steps, report);
  return report;
}

}  // namespace paligemma
