// The plan of a run against the peak memory of bench --train, paligemma2-3b-224 with 32 answer tokens.
#include <gtest/gtest.h>

#include "bench/shapes.h"
#include "train/memory_plan.h"

namespace paligemma::test {
namespace {

double planned_gib(const std::string& mode, const std::string& checkpointing, int batch) {
  ModelFiles files{.config = published_config("paligemma2-3b-224")};
  files.source = random_source(files.config, 1);
  Recipe recipe;
  recipe.model = "paligemma2-3b-224";
  recipe.mode = mode;
  recipe.batch = batch;
  recipe.accumulate = 1;
  recipe.checkpointing = checkpointing;
  const MemoryPlan plan = plan_memory(recipe, files, {.prompt_tokens = 4, .answer_tokens = 32});
  return static_cast<double>(plan.total()) / (1 << 30);
}

// What bench has beside a step: 256 MiB that the speed of memory is measured with, and a piece of random weights.
constexpr double kOfBench = (256 + 72) / 1024.0;

void expect_near(const std::string& mode, const std::string& checkpointing, int batch, double gib) {
  EXPECT_NEAR(planned_gib(mode, checkpointing, batch), gib, 0.1 * gib) << mode << " " << checkpointing << " " << batch;
}

TEST(TrainPlan, IsNearWhatWasMeasured) {
  expect_near("lora", "off", 1, 7.90 - kOfBench);
  expect_near("lora", "on", 1, 6.45 - kOfBench);
  expect_near("qlora", "off", 1, 4.15 - kOfBench);
  expect_near("qlora", "on", 1, 2.71 - kOfBench);
  expect_near("lora", "off", 4, 12.98 - kOfBench);
  expect_near("lora", "on", 4, 7.20 - kOfBench);
  expect_near("qlora", "off", 4, 9.25 - kOfBench);
  expect_near("qlora", "on", 4, 3.46 - kOfBench);
}

}  // namespace
}  // namespace paligemma::test
