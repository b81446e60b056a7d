#include <cstdio>

#include "base/memory.h"
#include "bench/bench.h"

namespace paligemma {
namespace {

constexpr const char* kLimitNames[] = {"f32_gflops", "bf16_gflops", "int8_gflops"};  // by Precision

template <class... Values>
std::string line(const char* format, Values... values) {
  char text[200];
  std::snprintf(text, sizeof text, format, values...);
  return std::string(text) + "\n";
}

// "10.1-12.9"
std::string range(const char* format, double low, double high) {
  char text[60];
  std::snprintf(text, sizeof text, format, low, high);
  return text;
}

std::string limits_table(const MachineLimits& limits) {
  std::string out = line("%-18s %10s %10s %16s", "limit", "best", "median", "all probes");
  const auto row = [&](const char* name, const Spread& spread) {
    out += line("%-18s %10.1f %10.1f %16s", name, spread.max, spread.median,
                range("%.1f-%.1f", spread.min, spread.max).c_str());
  };
  row("f32 GFLOP/s", limits.gflops[0]);
  row("bf16 GFLOP/s", limits.gflops[1]);
  row("int8 GOP/s", limits.gflops[2]);
  row("read GB/s", limits.read_gbs);
  return out;
}

std::string stage_table(const BenchReport& report) {
  std::string out = line("%-18s %5s %10s %16s %8s %9s %7s %7s", "stage", "runs", "median ms", "middle half", "min",
                         "GFLOP/s", "GB/s", "share");
  for (const BenchStage& stage : report.stages)
    out += line("%-18s %5zu %10.1f %16s %8.1f %9.1f %7.1f %5.0f %%", stage.name.c_str(), stage.ms.samples,
                stage.ms.median, range("%.1f-%.1f", stage.ms.q1, stage.ms.q3).c_str(), stage.ms.min, stage.rate.gflops,
                stage.rate.gbs, 100 * stage.rate.share);
  const std::size_t done = report.stages[1].ms.samples;
  if (done < static_cast<std::size_t>(report.repetitions))
    out += line("time was up after %zu of %d %s", done, report.repetitions, report.training ? "steps" : "prompts");
  return out;
}

std::string op_table(const BenchStage& stage) {
  std::string out = "\n" + stage.name + "\n";
  out += line("  %-36s %6s %10s %16s %7s %9s %7s %8s", "op", "calls", "median ms", "middle half", "part", "GFLOP/s",
              "GB/s", "share");
  for (const BenchOp& op : stage.ops)
    out += line("  %-36s %6d %10.2f %16s %5.1f %% %9.1f %7.1f %6.0f %%", op.name.c_str(), static_cast<int>(op.calls),
                op.ms.median, range("%.2f-%.2f", op.ms.q1, op.ms.q3).c_str(), 100 * op.ms.median / stage.ms.median,
                op.rate.gflops, op.rate.gbs, 100 * op.rate.share);
  return out;
}

std::string training_line(const BenchReport& report) {
  const TrainBenchReport& training = *report.training;
  const std::string rank = training.rank > 0 ? " of rank " + std::to_string(training.rank) : "";
  return line("%s%s, %.1f M parameters, answers of %d tokens, %s, %s", std::string(name(training.mode)).c_str(),
              rank.c_str(), static_cast<double>(training.parameters) / 1e6, report.generated_tokens,
              training.checkpoint ? "blocks run again" : "intermediates kept",
              training.cached_features ? "pictures' features given" : "vision tower in the step");
}

Json spread_json(const Spread& spread) {
  return {{"samples", spread.samples}, {"min", spread.min}, {"q1", spread.q1},
          {"median", spread.median},   {"q3", spread.q3},   {"max", spread.max}};
}

Json stage_json(const BenchStage& stage) {
  Json ops = Json::array();
  for (const BenchOp& op : stage.ops)
    ops.push_back({{"name", op.name},
                   {"calls", op.calls},
                   {"ms", spread_json(op.ms)},
                   {"gflops", op.rate.gflops},
                   {"gbs", op.rate.gbs},
                   {"share", op.rate.share}});
  return {{"name", stage.name},        {"ms", spread_json(stage.ms)}, {"gflop", stage.work.gflop},
          {"gb", stage.work.gb},       {"gflops", stage.rate.gflops}, {"gbs", stage.rate.gbs},
          {"share", stage.rate.share}, {"ops", std::move(ops)}};
}

}  // namespace

std::string bench_table(const BenchReport& report) {
  std::string out;
  if (!report.stages.empty())
    out = line("%s, %s, weights %s (%s), compute %s, threads %d, batch %d, prompt %d + image tokens",
               report.shape.c_str(), report.backend.c_str(), report.weights.c_str(),
               readable_bytes(report.weight_bytes).c_str(), report.compute.c_str(), report.threads, report.batch,
               report.prompt_tokens) +
          line("peak memory %s, weights made in %.1f s", readable_bytes(report.peak_rss_bytes).c_str(), report.load_s) +
          "\n";
  if (report.training) out += training_line(report) + "\n";
  out += limits_table(report.limits);
  if (report.stages.empty()) return out;
  out += "\n";
  out += stage_table(report);
  for (const BenchStage& stage : report.stages)
    if (!stage.ops.empty()) out += op_table(stage);
  return out;
}

Json bench_json(const BenchReport& report) {
  Json limits;
  for (std::size_t i = 0; i < report.limits.gflops.size(); ++i)
    limits[kLimitNames[i]] = spread_json(report.limits.gflops[i]);
  limits["read_gbs"] = spread_json(report.limits.read_gbs);
  Json stages = Json::array();
  for (const BenchStage& stage : report.stages) stages.push_back(stage_json(stage));
  Json json = {{"schema", "paligemma.bench/1"},
               {"program", "paligemma"},
               {"shape", report.shape},
               {"backend", report.backend},
               {"weights", report.weights},
               {"compute", report.compute},
               {"threads", report.threads},
               {"batch", report.batch},
               {"prompt_tokens", report.prompt_tokens},
               {"generated_tokens", report.generated_tokens},
               {"repetitions", report.repetitions},
               {"limits", std::move(limits)},
               {"load_s", report.load_s},
               {"weight_bytes", report.weight_bytes},
               {"peak_rss_bytes", report.peak_rss_bytes},
               {"stages", std::move(stages)}};
  if (report.training)
    json["training"] = {{"mode", name(report.training->mode)},
                        {"rank", report.training->rank},
                        {"checkpoint", report.training->checkpoint},
                        {"cached_features", report.training->cached_features},
                        {"parameters", report.training->parameters}};
  if (!report.stages.empty()) json["config"] = config_json(report.config, DType::bf16);
  return json;
}

}  // namespace paligemma
