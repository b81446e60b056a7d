#include "bench/train_bench.h"

#include <gmock/gmock.h>

#include "tiny.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 16 image tokens and 5 others, four tokens of answer of which three go through the decoder.
TrainBenchOptions tiny_training() {
  return {.shape = "tiny", .threads = 1, .prompt_tokens = 5, .answer_tokens = 4, .repetitions = 2};
}

const BenchStage& training_stage(const BenchReport& report, const std::string& name) {
  return *std::ranges::find(report.stages, name, &BenchStage::name);
}

TEST(TrainBench, StagesAreParts) {
  const BenchReport report = run_train_bench(tiny_config(), tiny_training());
  std::vector<std::string> names;
  for (const BenchStage& stage : report.stages) {
    names.push_back(stage.name);
    EXPECT_EQ(stage.ms.samples, 2u) << stage.name;
    EXPECT_GT(stage.ms.min, 0) << stage.name;
  }
  EXPECT_THAT(names, ElementsAre("step", "vision", "forward", "backward", "optimiser", "products"));
}

}  // namespace
}  // namespace paligemma
