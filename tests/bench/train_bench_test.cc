#include "bench/train_bench.h"

#include <gmock/gmock.h>

#include <set>

#include "tiny.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// 16 image tokens and 5 others, four tokens of answer of which three go through the decoder.
TrainBenchOptions tiny_training(TrainMode mode = TrainMode::lora) {
  return {.shape = "tiny", .threads = 1, .prompt_tokens = 5, .answer_tokens = 4, .repetitions = 2, .mode = mode};
}

const BenchStage& training_stage(const BenchReport& report, const std::string& name) {
  return *std::ranges::find(report.stages, name, &BenchStage::name);
}

bool has_op(const BenchStage& stage, const std::string& name) {
  return std::ranges::count(stage.ops, name, &BenchOp::name) > 0;
}

// Of all calls of one kind.
double gflop_of_kind(const BenchReport& report, const std::string& kind) {
  const std::vector<BenchOp>& ops = training_stage(report, "step").ops;
  const auto found = std::ranges::find(ops, kind, &BenchOp::name);
  return found == ops.end() ? 0 : found->rate.gflops * found->ms.median / 1000;
}

TEST(TrainBench, StagesArePartsOfAStep) {
  const BenchReport report = run_train_bench(tiny_config(), tiny_training());
  std::vector<std::string> names;
  for (const BenchStage& stage : report.stages) {
    names.push_back(stage.name);
    EXPECT_EQ(stage.ms.samples, 2u) << stage.name;
    EXPECT_GT(stage.ms.min, 0) << stage.name;
  }
  EXPECT_THAT(names, ElementsAre("step", "vision", "forward", "backward", "optimiser", "products"));
  double parts = 0;
  for (const char* name : {"vision", "forward", "backward"}) parts += training_stage(report, name).work.gflop;
  EXPECT_DOUBLE_EQ(training_stage(report, "step").work.gflop, parts);
  EXPECT_DOUBLE_EQ(training_stage(report, "products").work.gflop, parts);
  EXPECT_TRUE(has_op(training_stage(report, "vision"), "linear 16 x 588 -> 32"));
  EXPECT_TRUE(has_op(training_stage(report, "forward"), "linear 4 x 64 -> 256"));
  EXPECT_TRUE(has_op(training_stage(report, "backward"), "linear_input_gradient 4 x 256 -> 64"));
  EXPECT_FALSE(has_op(training_stage(report, "products"), "rms_norm"));
  EXPECT_EQ(report.limits.read_gbs.samples, 3u);  // before, between and after
}

// With W (N, K) of rank r: x A^T and its product with B^T, as much again for the gradients of A and B.
TEST(TrainBench, LoraHasGradientsOfItsOwnMatricesOnly) {
  TrainBenchOptions options = tiny_training();
  options.rank = 3;
  const BenchReport report = run_train_bench(tiny_config(), options);
  const double attention = 2 * (64 + 128) + 2 * (64 + 64), mlp = 3 * (64 + 160), block = 3 * (attention + mlp);
  EXPECT_EQ(report.training->parameters, std::int64_t(3 * block));
  const double of_all_rows = 2 * 24 * (2 * block + 3 * 2 * (64 + 64)), of_last = 2 * 4 * 3 * (2 * (64 + 128) + mlp);
  EXPECT_NEAR(gflop_of_kind(report, "linear_weight_gradient") * 1e9, of_all_rows + of_last, 1e-3);
}

// Every product of the forward pass has the gradient of its weight, and of its input but where that is the picture.
TEST(TrainBench, FullHasGradientsOfEverything) {
  const BenchReport report = run_train_bench(tiny_config(), tiny_training(TrainMode::full));
  EXPECT_EQ(report.training->parameters, static_cast<std::int64_t>(parameter_count(tiny_config())));
  const double forward = gflop_of_kind(report, "linear");
  EXPECT_NEAR(gflop_of_kind(report, "linear_weight_gradient") / forward, 1, 1e-9);
  EXPECT_NEAR(gflop_of_kind(report, "linear_input_gradient") / (forward - 2e-9 * 16 * 588 * 32), 1, 1e-9);
  EXPECT_NEAR(gflop_of_kind(report, "attention_gradient") / gflop_of_kind(report, "attention"), 2.5, 1e-9);
}

TEST(TrainBench, BlocksRunAgain) {
  TrainBenchOptions options = tiny_training();
  const BenchReport kept = run_train_bench(tiny_config(), options);
  options.keep = Keep::inputs;
  const BenchReport again = run_train_bench(tiny_config(), options);
  EXPECT_DOUBLE_EQ(training_stage(again, "forward").work.gflop, training_stage(kept, "forward").work.gflop);
  EXPECT_GT(gflop_of_kind(again, "linear"), 1.3 * gflop_of_kind(kept, "linear"));
  for (const char* kind : {"linear_input_gradient", "linear_weight_gradient", "attention_gradient"})
    EXPECT_NEAR(gflop_of_kind(again, kind) / gflop_of_kind(kept, kind), 1, 1e-9) << kind;
  EXPECT_THAT(bench_table(again), HasSubstr("blocks run again"));
}

TEST(TrainBench, FeaturesMayBeThereBefore) {
  TrainBenchOptions options = tiny_training(TrainMode::qlora);
  options.holding.held = HeldAs::q4;
  options.cached_features = true;
  options.batch = 2;
  const BenchReport report = run_train_bench(tiny_config(), options);
  EXPECT_FALSE(has_op(training_stage(report, "vision"), "linear 32 x 588 -> 32"));
  EXPECT_TRUE(has_op(training_stage(report, "vision"), "linear 32 x 32 -> 64"));  // the projector
  EXPECT_EQ(report.weights, "q4");
  EXPECT_THAT(bench_table(report), HasSubstr("qlora of rank 8"));
}

TEST(TrainBench, TimeThatIsUpEndsTheSteps) {
  TrainBenchOptions options = tiny_training();
  options.seconds = 0;
  EXPECT_THAT(bench_table(run_train_bench(tiny_config(), options)), HasSubstr("time was up after 1 of 2 steps"));
  EXPECT_THAT(bench_table(run_train_bench(tiny_config(), tiny_training())), Not(HasSubstr("time was up")));
}

// docs/performance.md describes it.
TEST(TrainBench, JsonSaysWhatWasTrained) {
  const BenchReport report = run_train_bench(tiny_config(), tiny_training());
  const Json json = bench_json(report), training = json.at("training");
  EXPECT_EQ(json.at("schema"), "paligemma.bench/1");
  EXPECT_EQ(json.at("generated_tokens"), 4);
  EXPECT_EQ(training.at("mode"), "lora");
  EXPECT_EQ(training.at("rank"), 8);
  EXPECT_EQ(training.at("checkpoint"), false);
  EXPECT_EQ(training.at("cached_features"), false);
  EXPECT_EQ(training.at("parameters"), report.training->parameters);
}

TEST(TrainBench, UnknownShapeIsRefused) {
  EXPECT_THROW(run_train_bench(TrainBenchOptions{.shape = "paligemma3-3b-224"}), Error);
}

}  // namespace
}  // namespace paligemma
