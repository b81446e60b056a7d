#include "bench/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

#include "base/memory.h"
#include "bench/limits.h"
#include "bench/op_clock.h"
#include "engine/engine.h"
#include "pipeline.h"

namespace paligemma {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Weights of the matrices that every row goes through.
double vision_weights(const VisionConfig& v) {
  const double block = 4.0 * static_cast<double>(v.width * v.width) + 2.0 * static_cast<double>(v.width * v.mlp);
  return static_cast<double>(v.layers) * block + static_cast<double>(v.patch_values() * v.width);
}

double decoder_weights(const DecoderConfig& d) {
  const double attention = 2.0 * static_cast<double>(d.width * d.head_size * (d.heads + d.kv_heads));
  return static_cast<double>(d.layers) * (attention + 3.0 * static_cast<double>(d.width * d.mlp));
}

// Multiply-adds count as two. q k^T and p v over all pairs of rows.
double vision_gflop(const Config& config) {
  const VisionConfig& v = config.vision;
  const auto n = static_cast<double>(v.tokens());
  const double attention = 4.0 * n * n * static_cast<double>(v.width * v.layers);
  return (2.0 * n * (vision_weights(v) + static_cast<double>(v.width * config.decoder.width)) + attention) / 1e9;
}

double prefill_gflop(const Config& config, double rows) {
  const DecoderConfig& d = config.decoder;
  const double attention = 4.0 * rows * rows * static_cast<double>(d.heads * d.head_size * d.layers);
  return (2.0 * rows * decoder_weights(d) + attention + 2.0 * static_cast<double>(d.width * d.vocabulary)) / 1e9;
}

double decode_gb(const Config& config, Network& network, const Holding& holding, double positions) {
  const DecoderConfig& d = config.decoder;
  double weights = 0;  // the head's, which is the embedding, among them
  visit(network, config, [&](const std::string& name, Weight& weight, const Shape&, Weight::Form form) {
    if (form == Weight::Form::matrix && name.starts_with("language_model."))
      weights += static_cast<double>(weight.bytes);
  });
  const double cache = 2.0 * positions * static_cast<double>(d.layers * d.kv_heads * d.head_size);
  return (weights + cache * (holding.precision == Precision::f32 ? 4 : 2)) / 1e9;
}

// The times of all repetitions: of the stage as a whole, and of its calls.
struct StageTimes {
  std::vector<double> ms;
  std::map<std::string, std::vector<double>> op_ms;
  OpClock::Ops ops;  // of the last repetition: the numbers of calls and amounts are those of each

  void add(double whole_ms, const OpClock::Ops& pass) {
    ms.push_back(whole_ms);
    for (const auto& [name, op] : pass) op_ms[name].push_back(1000 * op.seconds);
    ops = pass;
  }
};

template <class Measured>
void set_times(Measured& measured, std::vector<double> ms) {
  std::ranges::sort(ms);
  measured.median_ms = ms[ms.size() / 2];
  measured.min_ms = ms.front();
  measured.max_ms = ms.back();
}

BenchStage make_stage(std::string name, const StageTimes& times, double amount, bool reads,
                      const MachineLimits& limits) {
  BenchStage stage{.name = std::move(name), .amount = amount, .unit = reads ? "GB/s" : "GFLOP/s"};
  set_times(stage, times.ms);
  stage.rate = amount / (stage.median_ms / 1000);
  stage.share = stage.rate / (reads ? limits.read_gbs() : limits.peak_gflops());
  for (const auto& [op_name, op] : times.ops) {
    BenchOp& row = stage.ops.emplace_back(BenchOp{.name = op_name, .calls = op.calls});
    set_times(row, times.op_ms.at(op_name));
    const double seconds = row.median_ms / 1000;
    row.gflops = op.gflop / seconds;
    row.gbs = op.gb / seconds;
    row.share = std::max(row.gflops / limits.peak_gflops(), row.gbs / limits.read_gbs());
  }
  std::ranges::sort(stage.ops, std::greater{}, &BenchOp::median_ms);
  return stage;
}

}  // namespace

BenchReport run_bench(const BenchOptions& options) {
  const auto config = shape_config(options.shape);
  if (!config) {
    std::string names;
    for (const std::string& name : shape_names()) names += (names.empty() ? "" : ", ") + name;
    fail(ErrorKind::usage, "shape", "unknown shape: expected one of ", names, ", got ", options.shape);
  }
  const auto progress = [&](const std::string& text) {
    if (options.progress) options.progress(text);
  };
  const auto backend = make_cpu_backend({.threads = options.threads});
  const TensorSource source = random_source(*config, 1);
  const std::int64_t rows = config->vision.tokens() + options.prompt_tokens;
  const MemoryNeed need = memory_need(*config, source, options.holding, *backend, rows + options.generated_tokens);
  require_memory(options.shape, need);

  BenchReport report{.shape = options.shape,
                     .backend = std::string(backend->name()),
                     .compute = std::string(name(options.holding.precision)),
                     .weight_bytes = need.weights};
  progress("weights: " + readable_bytes(need.weights));
  const auto load_start = Clock::now();
  Network network = load_network(*config, source, options.holding, *backend);
  report.load_s = seconds_since(load_start);
  report.weights = std::string(name(network.decoder.embedding.dtype));

  OpClock clock(*backend);
  Engine engine(clock, *config, network,
                {.precision = options.holding.precision,
                 .image_token = *config->image_token,
                 .eos_token = -1,
                 .real_vocabulary = *config->image_token,
                 .whole_last_block = options.whole_last_block});
  EnginePrompt prompt{
      .ids = std::vector<std::int32_t>(static_cast<std::size_t>(config->vision.tokens()), *config->image_token),
      .prefix = rows,
      .pictures = {0},
      .suffix = {},
      .max_tokens = options.generated_tokens};
  for (int i = 0; i < options.prompt_tokens; ++i) prompt.ids.push_back(1000 + i);
  std::vector<float> patches(static_cast<std::size_t>(config->vision.tokens() * config->vision.patch_values()));
  std::mt19937 random(1);
  for (float& value : patches) value = static_cast<float>(random() % 256) / 127.5f - 1.0f;

  MachineLimits limits(options.threads, options.holding.precision);
  report.threads = limits.threads();
  StageTimes vision, prefill, decode;
  for (int i = -1; i < options.repetitions; ++i) {  // the first is a warm-up
    progress(i < 0 ? "warm-up" : "run " + std::to_string(i + 1) + " of " + std::to_string(options.repetitions));
    limits.probe();
    engine.timings = {};
    clock.reset();
    engine.encode_pictures({patches.data(), config->vision.tokens(), config->vision.patch_values()});
    engine.generate({&prompt, 1});
    if (i < 0) continue;
    const std::vector<OpClock::Ops>& passes = clock.passes();  // vision, prefill, the tokens
    vision.add(engine.timings.vision, passes[0]);
    prefill.add(engine.timings.prefill, passes[1]);
    decode.add(engine.timings.decode / (options.generated_tokens - 1), passes.back());
  }
  report.peak_gflops = limits.peak_gflops();
  report.read_gbs = limits.read_gbs();
  const auto positions = static_cast<double>(rows);
  report.stages = {make_stage("vision", vision, vision_gflop(*config), false, limits),
                   make_stage("prefill", prefill, prefill_gflop(*config, positions), false, limits),
                   make_stage("decode", decode, decode_gb(*config, network, options.holding, positions), true, limits)};
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  report.peak_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  return report;
}

std::string bench_table(const BenchReport& report) {
  char line[200];
  std::string out;
  std::snprintf(line, sizeof line, "%s, %s, weights %s (%s), compute %s, %d threads\n", report.shape.c_str(),
                report.backend.c_str(), report.weights.c_str(), readable_bytes(report.weight_bytes).c_str(),
                report.compute.c_str(), report.threads);
  out += line;
  std::snprintf(line, sizeof line, "limits: %.0f GFLOP/s, %.1f GB/s read; peak memory %s; weights made in %.1f s\n",
                report.peak_gflops, report.read_gbs, readable_bytes(report.peak_rss_bytes).c_str(), report.load_s);
  out += line;
  std::snprintf(line, sizeof line, "%-8s %10s %10s %10s %10s %8s\n", "stage", "median ms", "min", "max", "rate",
                "share");
  out += line;
  for (const BenchStage& stage : report.stages) {
    std::snprintf(line, sizeof line, "%-8s %10.1f %10.1f %10.1f %6.1f %s %5.0f %%\n", stage.name.c_str(),
                  stage.median_ms, stage.min_ms, stage.max_ms, stage.rate, stage.unit.c_str(), 100 * stage.share);
    out += line;
  }
  for (const BenchStage& stage : report.stages) {
    out += "\n" + stage.name + "\n";
    std::snprintf(line, sizeof line, "  %-36s %6s %10s %7s %9s %7s %8s\n", "op", "calls", "median ms", "part",
                  "GFLOP/s", "GB/s", "share");
    out += line;
    for (const BenchOp& op : stage.ops) {
      const double part = 100 * op.median_ms / stage.median_ms;
      std::snprintf(line, sizeof line, "  %-36s %6d %10.1f %5.1f %% %9.1f %7.1f %6.0f %%\n", op.name.c_str(),
                    static_cast<int>(op.calls), op.median_ms, part, op.gflops, op.gbs, 100 * op.share);
      out += line;
    }
  }
  return out;
}

Json bench_json(const BenchReport& report) {
  Json stages = Json::array();
  for (const BenchStage& stage : report.stages) {
    Json ops = Json::array();
    for (const BenchOp& op : stage.ops)
      ops.push_back({{"name", op.name},
                     {"calls", op.calls},
                     {"median_ms", op.median_ms},
                     {"min_ms", op.min_ms},
                     {"max_ms", op.max_ms},
                     {"gflops", op.gflops},
                     {"gbs", op.gbs},
                     {"share", op.share}});
    stages.push_back({{"name", stage.name},
                      {"median_ms", stage.median_ms},
                      {"min_ms", stage.min_ms},
                      {"max_ms", stage.max_ms},
                      {"amount", stage.amount},
                      {"rate", stage.rate},
                      {"unit", stage.unit},
                      {"share", stage.share},
                      {"ops", std::move(ops)}});
  }
  return {{"schema", "paligemma.bench/1"},
          {"shape", report.shape},
          {"backend", report.backend},
          {"weights", report.weights},
          {"compute", report.compute},
          {"threads", report.threads},
          {"peak_gflops", report.peak_gflops},
          {"read_gbs", report.read_gbs},
          {"load_s", report.load_s},
          {"weight_bytes", report.weight_bytes},
          {"peak_rss_bytes", report.peak_rss_bytes},
          {"stages", stages}};
}

}  // namespace paligemma
