// The plan of a run against what bench --train measured: docs/performance.md, paligemma2-3b-224 with 32 answer tokens.
#include <gtest/gtest.h>

#include "bench/shapes.h"
#include "train/memory_plan.h"

namespace paligemma::test {
namespace {

double planned_gib(const std::string& mode, const std::string& checkpointing) {
  ModelFiles files{.config = published_config("paligemma2-3b-224")};
  files.source = random_source(files.config, 1);
  Recipe recipe;
  recipe.model = "paligemma2-3b-224";
  recipe.mode = mode;
  recipe.batch = recipe.accumulate = 1;
  recipe.checkpointing = checkpointing;
  const MemoryPlan plan = plan_memory(recipe, files, {.prompt_tokens = 4, .answer_tokens = 32});
  return static_cast<double>(plan.total()) / (1 << 30);
}

TEST(TrainPlan, IsNearWhatWasMeasured) {
  EXPECT_NEAR(planned_gib("lora", "off"), 8.4, 0.84);
  EXPECT_NEAR(planned_gib("lora", "on"), 6.5, 0.65);
  EXPECT_NEAR(planned_gib("qlora", "off"), 4.6, 0.46);
  EXPECT_NEAR(planned_gib("qlora", "on"), 2.8, 0.28);
}

}  // namespace
}  // namespace paligemma::test
