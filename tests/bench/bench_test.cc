#include "bench/bench.h"

#include <gmock/gmock.h>

#include <set>

#include "tiny.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// 16 image tokens and 5 others, three tokens of answer.
BenchOptions tiny_options() {
  return {.shape = "tiny", .threads = 1, .prompt_tokens = 5, .generated_tokens = 3, .repetitions = 3};
}

const BenchStage& stage(const BenchReport& report, const std::string& name) {
  return *std::ranges::find(report.stages, name, &BenchStage::name);
}

const BenchOp* find_op(const BenchStage& stage, const std::string& name) {
  const auto found = std::ranges::find(stage.ops, name, &BenchOp::name);
  return found == stage.ops.end() ? nullptr : &*found;
}

// What the ops of a stage did: their rates are of their medians.
double gflop_of_ops(const BenchStage& stage) {
  double sum = 0;
  for (const BenchOp& op : stage.ops) sum += op.rate.gflops * op.ms.median / 1000;
  return sum;
}

double gb_of_ops(const BenchStage& stage) {
  double sum = 0;
  for (const BenchOp& op : stage.ops) sum += op.rate.gbs * op.ms.median / 1000;
  return sum;
}

TEST(Bench, SamplesAreTheRepetitionsAndEveryToken) {
  const BenchReport report = run_bench(tiny_config(), tiny_options());
  std::vector<std::string> names;
  for (const BenchStage& stage : report.stages) names.push_back(stage.name);
  EXPECT_THAT(names, ElementsAre("vision", "prefill", "picture + prefill", "decode"));
  EXPECT_EQ(stage(report, "vision").ms.samples, 3u);
  EXPECT_EQ(stage(report, "prefill").ms.samples, 3u);
  EXPECT_EQ(stage(report, "decode").ms.samples, 6u);
  EXPECT_EQ(report.limits.read_gbs.samples, 4u);  // before, between and after
  for (const BenchStage& stage : report.stages) {
    EXPECT_GT(stage.ms.min, 0) << stage.name;
    EXPECT_GT(stage.rate.share, 0) << stage.name;
  }
  for (const Spread& gflops : report.limits.gflops) EXPECT_GT(gflops.min, 0);
}

// The counts of the stages come from the sizes alone, those of the ops from their calls.
TEST(Bench, WorkOfAStageIsThatOfItsOps) {
  for (const HeldAs held : {HeldAs::bf16, HeldAs::q8, HeldAs::q4}) {
    for (const int batch : {1, 3}) {
      BenchOptions options = tiny_options();
      options.holding.held = held;
      options.batch = batch;
      options.generated_tokens = 2;
      options.repetitions = 1;
      options.whole_last_block = true;
      const BenchReport report = run_bench(tiny_config(), options);
      for (const char* name : {"vision", "prefill", "decode"}) {
        const Work& work = stage(report, name).work;
        EXPECT_NEAR(gflop_of_ops(stage(report, name)) / work.gflop, 1, 1e-6) << name << ", batch " << batch;
      }
      const BenchStage& decode = stage(report, "decode");
      EXPECT_NEAR(gb_of_ops(decode) / decode.work.gb, 1, 1e-6) << "batch " << batch;
    }
  }
}

TEST(Bench, BatchIsOfPicturesPromptsAndTokens) {
  BenchOptions options = tiny_options();
  options.batch = 2;
  const BenchReport report = run_bench(tiny_config(), options);
  EXPECT_EQ(report.batch, 2);
  EXPECT_NE(find_op(stage(report, "vision"), "linear 32 x 588 -> 32"), nullptr);
  EXPECT_NE(find_op(stage(report, "prefill"), "attention 42 x 128"), nullptr);
  EXPECT_NE(find_op(stage(report, "decode"), "attention 2 x 128"), nullptr);
  const BenchReport one = run_bench(tiny_config(), tiny_options());
  EXPECT_DOUBLE_EQ(stage(report, "prefill").work.gflop, 2 * stage(one, "prefill").work.gflop);
}

TEST(Bench, TimeThatIsUpEndsThePromptsOnly) {
  BenchOptions options = tiny_options();
  options.seconds = 0;
  const BenchReport report = run_bench(tiny_config(), options);
  EXPECT_EQ(stage(report, "vision").ms.samples, 3u);
  EXPECT_EQ(stage(report, "prefill").ms.samples, 1u);
  EXPECT_EQ(stage(report, "decode").ms.samples, 2u);
  EXPECT_THAT(bench_table(report), HasSubstr("time was up after 1 of 3 prompts"));
  EXPECT_THAT(bench_table(run_bench(tiny_config(), tiny_options())), Not(HasSubstr("time was up")));
}

std::set<std::string> keys(const Json& json) {
  std::set<std::string> names;
  for (const auto& item : json.items()) names.insert(item.key());
  return names;
}

// docs/performance.md describes them; bench/ and tools/bench_compare read them.
TEST(Bench, JsonHasTheFieldsOfItsSchema) {
  const BenchReport report = run_bench(tiny_config(), tiny_options());
  const Json json = bench_json(report);
  EXPECT_THAT(keys(json), ElementsAre("backend", "batch", "compute", "config", "generated_tokens", "limits", "load_s",
                                      "peak_rss_bytes", "program", "prompt_tokens", "repetitions", "schema", "shape",
                                      "stages", "threads", "weight_bytes", "weights"));
  EXPECT_EQ(json.at("schema"), "paligemma.bench/1");
  EXPECT_EQ(json.at("compute"), "bf16");
  EXPECT_EQ(json.at("weights"), "bf16");
  EXPECT_EQ(json.at("prompt_tokens"), 5);
  EXPECT_EQ(json.at("config").at("text_config").at("num_key_value_heads"), 2);
  EXPECT_THAT(keys(json.at("limits")), ElementsAre("bf16_gflops", "f32_gflops", "int8_gflops", "read_gbs"));
  EXPECT_THAT(keys(json.at("limits").at("read_gbs")), ElementsAre("max", "median", "min", "q1", "q3", "samples"));
  const Json& vision = json.at("stages").at(0);
  EXPECT_THAT(keys(vision), ElementsAre("gb", "gbs", "gflop", "gflops", "ms", "name", "ops", "share"));
  EXPECT_EQ(vision.at("ms").at("median"), report.stages[0].ms.median);
  EXPECT_EQ(vision.at("share"), report.stages[0].rate.share);
  EXPECT_THAT(keys(vision.at("ops").at(0)), ElementsAre("calls", "gbs", "gflops", "ms", "name", "share"));
}

TEST(Bench, LimitsCanBeMeasuredAlone) {
  const BenchReport report = measure_limits({.shape = "", .threads = 1, .repetitions = 2});
  EXPECT_EQ(report.limits.read_gbs.samples, 2u);
  EXPECT_TRUE(bench_json(report).at("stages").empty());
  EXPECT_THAT(bench_table(report), HasSubstr("int8 GOP/s"));
}

}  // namespace
}  // namespace paligemma
