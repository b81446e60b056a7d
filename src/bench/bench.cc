#include "bench/bench.h"

#include "base/memory.h"
#include "engine/engine.h"
#include "pipeline.h"

namespace paligemma {
namespace {

using Clock = OpClock::Clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
double ms_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - start).count();
}

std::vector<EnginePrompt> make_prompts(const Config& config, const BenchOptions& options) {
  std::vector<EnginePrompt> prompts;
  for (int b = 0; b < options.batch; ++b) {
    EnginePrompt& prompt = prompts.emplace_back();
    prompt.ids.assign(static_cast<std::size_t>(config.vision.tokens()), *config.image_token);
    for (int i = 0; i < options.prompt_tokens; ++i)
      prompt.ids.push_back(static_cast<std::int32_t>((1000 + i + b) % *config.image_token));
    prompt.prefix = static_cast<std::int64_t>(prompt.ids.size());
    prompt.pictures = {b};
    prompt.max_tokens = options.generated_tokens;
  }
  return prompts;
}

// The stages of one answer after another, and their times.
struct Repetitions {
  const BenchOptions& options;
  OpClock& clock;
  Engine& engine;
  ConstView patches;
  std::vector<EnginePrompt> prompts;
  StageTimes vision{}, prefill{}, picture_prefill{}, decode{};

  void encode(bool counts) {
    engine.timings = {};
    clock.reset();
    engine.encode_pictures(patches);
    if (counts) vision.add(engine.timings.vision, clock.passes().front().ops);
  }

  // After encode().
  void answer(bool counts) {
    clock.reset();
    engine.generate(prompts);
    const Clock::time_point end = Clock::now();
    if (!counts) return;
    const std::vector<OpClock::Pass>& passes = clock.passes();  // nothing, then the prefill's, then the tokens'
    const std::size_t first_token = passes.size() - static_cast<std::size_t>(options.generated_tokens - 1);
    OpClock::Ops ops;
    for (std::size_t i = 1; i < first_token; ++i) add_ops(passes[i].ops, ops);
    prefill.add(engine.timings.prefill, ops);
    picture_prefill.add(engine.timings.vision + engine.timings.prefill, {});
    for (std::size_t i = first_token; i < passes.size(); ++i)
      decode.add(ms_between(passes[i].start, i + 1 < passes.size() ? passes[i + 1].start : end), passes[i].ops);
  }

  void run(LimitProbes& limits) {
    const auto progress = [&](const std::string& text) {
      if (options.progress) options.progress(text);
    };
    progress("warm-up");
    encode(false);
    answer(false);
    const auto start = Clock::now();
    for (int i = 0; i < options.repetitions; ++i) {
      limits.probe();
      progress("run " + std::to_string(i + 1) + " of " + std::to_string(options.repetitions));
      encode(true);
      if (i == 0 || seconds_since(start) < options.seconds) answer(true);
    }
    limits.probe();
  }
};

}  // namespace

BenchReport run_bench(const BenchOptions& options) { return run_bench(published_config(options.shape), options); }

BenchReport run_bench(const Config& config, const BenchOptions& options) {
  const auto backend = make_cpu_backend({.threads = options.threads});
  const Precision precision = options.holding.precision;
  const TensorSource source = random_source(config, 1);
  const std::int64_t rows = config.vision.tokens() + options.prompt_tokens;
  const std::int64_t positions = rows + options.generated_tokens + kKvBlockTokens - 1;  // of whole blocks of the cache
  const MemoryNeed need = memory_need(config, source, options.holding, *backend, options.batch * positions);
  require_memory(options.shape, need);
  if (options.progress) options.progress("weights: " + readable_bytes(need.weights));
  const auto load_start = Clock::now();
  Network network = load_network(config, source, options.holding, *backend);
  const double load_s = seconds_since(load_start);

  OpClock clock(*backend);
  Engine engine(clock, config, network,
                {.precision = precision,
                 .image_token = *config.image_token,
                 .eos_token = -1,
                 .real_vocabulary = *config.image_token,
                 .whole_last_block = options.whole_last_block,
                 .draft_rows = 1});
  const std::vector<float> patches = random_patches(config, options.batch);
  const ConstView view{patches.data(), options.batch * config.vision.tokens(), config.vision.patch_values()};
  LimitProbes probes(*backend, options.threads);
  Repetitions measured{options, clock, engine, view, make_prompts(config, options)};
  measured.run(probes);

  BenchReport report{.shape = options.shape,
                     .backend = std::string(backend->name()),
                     .weights = std::string(name(network.decoder.embedding.dtype)),
                     .compute = std::string(name(precision)),
                     .config = config,
                     .threads = probes.threads(),
                     .batch = options.batch,
                     .prompt_tokens = options.prompt_tokens,
                     .generated_tokens = options.generated_tokens,
                     .repetitions = options.repetitions,
                     .limits = probes.limits(),
                     .load_s = load_s,
                     .weight_bytes = need.weights};
  const MatrixBytes bytes = matrix_bytes(network, config);
  const Work vision = vision_work(config, bytes, options.batch);
  const Work prefill = prefill_work(config, bytes, options.batch, static_cast<double>(rows));
  // The token that is computed first sees rows + 1 positions, the last one rows + generated_tokens - 1.
  const double seen = static_cast<double>(rows) + options.generated_tokens / 2.0;
  const Work decode = decode_work(config, bytes, options.batch, seen, precision == Precision::f32 ? 4 : 2);
  const auto add = [&](const char* name, const StageTimes& times, const Work& work) {
    report.stages.push_back(times.stage(name, work, report.limits, precision));
  };
  add("vision", measured.vision, vision);
  add("prefill", measured.prefill, prefill);
  add("picture + prefill", measured.picture_prefill, {vision.gflop + prefill.gflop, vision.gb + prefill.gb});
  add("decode", measured.decode, decode);
  report.peak_rss_bytes = peak_memory();
  return report;
}

BenchReport measure_limits(const BenchOptions& options) {
  const auto backend = make_cpu_backend({.threads = options.threads});
  LimitProbes probes(*backend, options.threads);
  for (int i = 0; i < options.repetitions; ++i) probes.probe();
  return {.backend = std::string(backend->name()),
          .threads = probes.threads(),
          .repetitions = options.repetitions,
          .limits = probes.limits()};
}

}  // namespace paligemma
