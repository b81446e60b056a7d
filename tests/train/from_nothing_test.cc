// A small model learns the drawn world from nothing, for a fixed number of steps. What it then does on scenes of
// another seed; one that learned nothing finds and answers nothing. The bounds are half or less of what was measured
// (README of models/pocket), as processors round differently.
#include <gtest/gtest.h>

#include "eval/evaluate.h"
#include "scenes/source.h"
#include "support/scratch.h"
#include "train/run_data.h"
#include "train/run_settings.h"
#include "train/trainer.h"
#include "train/validation.h"

namespace paligemma::test {
namespace {

Recipe small_recipe(const std::string& out) {
  Recipe recipe;
  recipe.data = "scenes:7:2000:112", recipe.val = "0", recipe.out = out, recipe.pack = true;
  recipe.mode = "full", recipe.codec = POCKET_DIR "/mask_codec.safetensors";
  recipe.new_model =
      "side=112,patch=14,vision_layers=3,vision_width=96,vision_heads=3,vision_mlp=288,layers=2,width=96,heads=3,"
      "kv_heads=1,head_size=32,mlp=256,vocabulary=2304";
  recipe.batch = 5 * world::kQuestions, recipe.accumulate = 1, recipe.steps = 3600, recipe.dense_steps = 1800;
  recipe.optimizer = "muon", recipe.lr = 0.012, recipe.lr_adamw = 0.002, recipe.beta2 = 0.98,
  recipe.weight_decay = 0.01;
  recipe.clip_adamw_only = true, recipe.schedule = "trapezoid", recipe.warmup = 40;
  recipe.loss = "token-mean", recipe.token_weights = "loc0=1.3", recipe.soft_loc = 0.8, recipe.dense_head = 0.5;
  recipe.final_softcap = "on", recipe.attention_softcap = "off", recipe.compute = "bf16";
  return recipe;
}

std::vector<RecordGroup> answered(const std::string& model, const std::string& scenes) {
  Recipe recipe;
  recipe.data = scenes, recipe.codec = POCKET_DIR "/mask_codec.safetensors";
  const Dataset data = open_eval_data(recipe);
  const ModelFiles files = find_model(model);
  const auto pipeline = open_pipeline(model, {.codec = recipe.codec});
  ValidationOptions options = evaluation_options(recipe, files, *pipeline);
  for (std::size_t i = 0; i < data.samples.size(); ++i) options.places.push_back(i);
  std::vector<Record> records;
  for (const ValidationAnswer& one : answer_samples(*pipeline, data, options, [](std::size_t) {}, [] { return false; }))
    records.push_back(record_of(one));
  return group_metrics(records);
}

double value_in(const std::vector<RecordGroup>& groups, std::string_view group, std::string_view metric) {
  const auto found = std::ranges::find(groups, group, &RecordGroup::name);
  return found == groups.end() ? -1 : value_of(found->values, metric).value;
}

TEST(FromNothing, ASmallModelLearnsItsWorld) {
  const Scratch scratch;
  const Recipe recipe = small_recipe(scratch.path("run"));
  train(
      recipe, false,
      {.note = [](const std::string&) {}, .warning = [](const std::string&) {}, .progress = [](const RunProgress&) {}});
  const std::vector<RecordGroup> groups = answered(scratch.path("run/last"), "scenes:9:100:112");
  EXPECT_GE(value_in(groups, "detect", "box_f1"), 0.15);
  EXPECT_GE(value_in(groups, "detect", "absent"), 0.5);
  EXPECT_GE(value_in(groups, "answer", "exact"), 0.4);
  EXPECT_GE(value_in(groups, "segment", "mask_iou"), 0.1);
}

}  // namespace
}  // namespace paligemma::test
