// Whole runs of the embedded model on a few pictures: what is kept, resumed, and said about what goes wrong.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "calibration_file.h"
#include "merge_model.h"
#include "model/trained_numerics.h"
#include "report/result_json.h"
#include "support/golden.h"
#include "support/scratch.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace paligemma::test {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) { return Scratch::bytes_of(path); }

class RunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(data());
    std::ofstream rows(data() / "train.jsonl");
    for (const char* name : {"beach", "city", "desert", "field", "forest", "road"}) {
      fs::copy_file(fs::path(POCKET_DIR) / "pictures" / (std::string(name) + ".png"),
                    data() / (std::string(name) + ".png"));
      rows << "{\"image\":\"" << name << ".png\",\"prefix\":\"caption en\",\"suffix\":\"the " << name << "\"}\n";
    }
  }

  fs::path data() const { return folder.folder() / "data"; }
  Recipe recipe(const std::string& out) const {
    Recipe recipe;
    recipe.data = data().string();
    recipe.out = (folder.folder() / out).string();
    recipe.steps = 6;
    recipe.batch = 2;
    recipe.accumulate = 2;
    recipe.eval_every = 3;
    recipe.answer_tokens = 8;
    recipe.dropout = 0.1;
    recipe.lr = 1e-3;
    recipe.threads = 2;
    return recipe;
  }
  // Stops behind `steps` of them.
  RunResult run(const Recipe& recipe, bool resume = false, std::int64_t steps = -1) {
    std::int64_t done = 0;
    const RunHooks hooks{.note = [](const std::string&) {},
                         .warning = [this](const std::string& text) { warnings += text + "\n"; },
                         .progress = [&](const RunProgress& progress) { done = progress.step; },
                         .stop = [&] { return steps >= 0 && done >= steps; }};
    return train(recipe, resume, hooks);
  }
  // The steps' losses and norms, and the evaluations; not how fast they were.
  std::string log_of(const Recipe& recipe) const {
    const auto [history, bytes] = read_run_log(contents(fs::path(recipe.out) / "log.jsonl"), "log.jsonl", 1000);
    std::string text;
    for (LoggedStep step : history.steps) {
      step.examples_per_s = 0;
      text += log_line(step);
    }
    for (const LoggedEvaluation& evaluation : history.evaluations) text += log_line(evaluation);
    return text;
  }

  Scratch folder;
  std::string warnings;
};

TEST_F(RunTest, KeepsTheLastAndTheBest) {
  const Recipe recipe = this->recipe("run");
  const RunResult result = run(recipe);
  EXPECT_EQ(result.position.step, 6);
  const fs::path out = recipe.out;
  for (const char* name : {"last", "best"})
    for (const char* file : {"adapter_config.json", "adapter_model.safetensors", "paligemma.json"})
      EXPECT_TRUE(fs::exists(out / name / file)) << name << "/" << file;
  for (const char* file : {"recipe.toml", "log.jsonl", "report.html"}) EXPECT_TRUE(fs::exists(out / file)) << file;
  EXPECT_EQ(read_recipe(contents(out / "recipe.toml"), "recipe.toml").steps, 6);
}

// Before the first evaluation, and behind it, when there is a best one.
TEST_F(RunTest, ThatStoppedGoesOnWithTheSameBits) {
  const Recipe whole = recipe("whole");
  run(whole);
  for (const std::int64_t stop : {2, 4}) {
    const Recipe parts = recipe("parts" + std::to_string(stop));
    EXPECT_EQ(run(parts, false, stop).stopped, "interrupted");
    Recipe alone = parts;
    alone.threads = 1;
    run(alone, true);
    EXPECT_EQ(log_of(whole), log_of(parts));
    EXPECT_EQ(contents(fs::path(whole.out) / "last/adapter_model.safetensors"),
              contents(fs::path(parts.out) / "last/adapter_model.safetensors"));
  }
}

TEST_F(RunTest, OfAllWeightsIsAModel) {
  Recipe full = recipe("full");
  full.mode = "full";
  full.freeze = {"vision_tower\\..*"};
  full.steps = 2;
  full.optimizer = "muon";
  run(full);
  const fs::path last = fs::path(full.out) / "last";
  EXPECT_TRUE(fs::exists(last / "model.safetensors"));
  EXPECT_EQ(Model::open(last).info().parameters, Model::embedded().info().parameters);
}

// A calibration is that of the weights before.
TEST_F(RunTest, OfACalibratedModelHasNoCalibration) {
  const fs::path base = folder.folder() / "base";
  fs::create_directory(base);
  for (const auto& entry : fs::directory_iterator(POCKET_DIR))
    if (entry.is_regular_file()) fs::copy_file(entry.path(), base / entry.path().filename());
  keep_calibration({.path = base / "config.json", .start = {}}, {2, 1});
  ASSERT_TRUE(open_model_files(base).config.score_calibration);
  const auto trained = [&](const char* out, const char* mode, const std::string& init) {
    Recipe recipe = this->recipe(out);
    recipe.model = base.string();
    recipe.mode = mode, recipe.init = init;
    recipe.steps = 1;
    run(recipe);
    return fs::path(recipe.out) / "last";
  };
  const fs::path adapter = trained("lora", "lora", "");
  const auto numerics = [](const fs::path& path) {
    return read_trained_numerics(Folder::on_disk(path, ErrorKind::model)).value();
  };
  EXPECT_EQ(numerics(adapter).score_calibration, std::nullopt);
  keep_calibration({.path = adapter / kTrainedNumericsFile, .start = {}}, {2, 1});
  EXPECT_EQ(numerics(trained("again", "lora", adapter.string())).score_calibration, std::nullopt);
  EXPECT_EQ(open_model_files(trained("full", "full", "")).config.score_calibration, std::nullopt);
}

// Two pictures with a box and four with none, filled up to three.
class NoisyRunTest : public RunTest {
 protected:
  void SetUp() override {
    RunTest::SetUp();
    fs::remove(data() / "train.jsonl");
    Json coco = {{"categories", {{{"id", 1}, {"name", "cow"}}}}, {"images", Json::array()}};
    for (const char* name : {"beach", "city", "desert", "field", "forest", "road"}) {
      const std::size_t id = coco["images"].size();
      coco["images"].push_back({{"id", id}, {"file_name", join(name, ".png")}, {"width", 448}, {"height", 448}});
      if (id % 3 == 0)
        coco["annotations"].push_back(
            {{"id", id}, {"image_id", id}, {"category_id", 1}, {"bbox", {100, 150, 120, 110}}, {"iscrowd", 0}});
    }
    std::ofstream(data() / "annotations.json") << coco.dump();
    request.pictures.push_back({"beach.png", read_picture(data() / "beach.png")});
  }
  Recipe noisy() const {
    Recipe noisy = recipe("noisy");
    noisy.noise_boxes = kBoxes;
    noisy.answer_tokens = 64;
    noisy.steps = noisy.eval_every = 20;
    noisy.dropout = 0;
    noisy.lr = 2e-3;
    return noisy;
  }
  // The probabilities of the label behind the box that begins at each place, multiplied.
  static std::vector<double> label_probabilities(const Result& result) {
    std::vector<double> all;
    const auto is_loc = [](const Token& token) { return token.text.starts_with("<loc"); };
    for (std::size_t i = 4; i < result.tokens.size(); ++i) {
      if (!is_loc(result.tokens[i - 1]) || is_loc(result.tokens[i])) continue;
      double product = 1;
      for (; i < result.tokens.size(); ++i) {
        const Token& token = result.tokens[i];
        if (token.text == " ;" || token.text == "<eos>") break;
        product *= std::exp(token.logprob);
      }
      all.push_back(product);
    }
    return all;
  }
  static void expect_confidences(const Result& result) {
    ASSERT_EQ(result.objects.size(), std::size_t{kBoxes}) << result.text;
    const std::vector<double> probabilities = label_probabilities(result);
    ASSERT_EQ(probabilities.size(), result.objects.size());
    for (std::size_t i = 0; i < probabilities.size(); ++i) {
      EXPECT_EQ(result.objects[i].label, "cow");
      EXPECT_NEAR(result.objects[i].score.value(), probabilities[i], 1e-12);
    }
    const Json json = result_json(result);
    for (const Json& object : json["objects"]) EXPECT_EQ(object["score_kind"], "label_prob");
    EXPECT_EQ(result.finish, Finish::eos);
  }

  static constexpr int kBoxes = 3;
  Request request{.task = Task::detect, .labels = {"cow"}, .max_tokens = 64, .logprobs = true};
};

TEST_F(NoisyRunTest, AnswersHoldAllBoxesWithTheirConfidences) {
  const Recipe recipe = noisy();
  run(recipe);
  const fs::path adapter = fs::path(recipe.out) / "last", merged = folder.folder() / "merged";
  merge_model(open_model_files(fs::path(POCKET_DIR)), adapter, merged, {}, {.weights = DType::f32});
  Model attached = Model::embedded({.adapters = {adapter}}), whole = Model::open(merged, {.compute = Compute::f32});
  for (Model* model : {&attached, &whole}) expect_confidences(model->answer(request));

  Request spelled = request;
  spelled.task = Task::run, spelled.text = "detect cow";
  expect_confidences(attached.answer(spelled));
  // Other tasks, and the model without the adapter, have none of it; the calibration is of that model's weights alone.
  Request plain = request, segment = request;
  plain.adapter = std::nullopt;
  segment.task = Task::segment;
  const std::vector<Request> others{plain, segment, request};
  const std::vector<Result> results = attached.answer(others);
  EXPECT_EQ(results[0].text, Model::embedded().answer(request).text);
  for (const Object& object : results[0].objects) EXPECT_EQ(object.score_kind, ScoreKind::loc_calibrated);
  for (const Object& object : results[1].objects) EXPECT_EQ(object.score_kind, ScoreKind::loc_geomean);
  expect_confidences(results[2]);
}

TEST_F(NoisyRunTest, OfAllWeightsKeepsThemInTheModel) {
  Recipe full = noisy();
  full.mode = "full";
  full.steps = 1;
  run(full);
  EXPECT_EQ(open_model_files(fs::path(full.out) / "last").config.noise_boxes, kBoxes);
}

TEST_F(RunTest, ResumedWithOtherDataIsRefused) {
  const Recipe recipe = this->recipe("run");
  run(recipe, false, 2);
  std::ofstream(data() / "train.jsonl", std::ios::app)
      << "{\"image\":\"road.png\",\"prefix\":\"ocr\",\"suffix\":\"stop\"}\n";
  try {
    run(recipe, true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "data_changed");
  }
}

TEST_F(RunTest, WithoutACheckpointCannotBeResumed) {
  try {
    run(recipe("nothing"), true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "no_checkpoint");
  }
}

TEST_F(RunTest, ThatDivergesSaysSo) {
  Recipe wild = recipe("wild");
  wild.lr = 1e38;
  wild.clip = 0;
  wild.steps = 100;
  wild.val = "0";
  wild.schedule = "constant";
  try {
    run(wild);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "diverged");
    EXPECT_THAT(error.what(), testing::HasSubstr("Try: a smaller --lr"));
  }
}

TEST_F(RunTest, CutAnswersAreCountedAndSaid) {
  Recipe cut = recipe("cut");
  cut.answer_tokens = 1;
  cut.steps = 1;
  cut.val = "0";
  run(cut);
  EXPECT_THAT(warnings, testing::HasSubstr("4 answers were longer than 1 tokens"));
}

TEST_F(RunTest, WhatCannotBeDoneIsRefused) {
  const auto code_of = [&](const Recipe& recipe) {
    try {
      run(recipe);
    } catch (const Error& error) {
      return error.code();
    }
    return std::string();
  };
  Recipe full = recipe("full");
  full.mode = "full";
  full.init = "somewhere";
  EXPECT_EQ(code_of(full), "file_not_found");
  full.init.clear();
  full.weights = "q4";
  EXPECT_EQ(code_of(full), "weights");
  full.weights = "auto";
  full.freeze = {".*"};
  EXPECT_EQ(code_of(full), "freeze");
  Recipe noisy = recipe("noisy");
  noisy.noise_boxes = 4;
  EXPECT_EQ(code_of(noisy), "noise_boxes");
  Recipe dense = recipe("dense");
  dense.dense_head = 1;
  dense.detect_prompt = "each";
  EXPECT_EQ(code_of(dense), "dense_head");
  Recipe drawn = recipe("drawn");
  drawn.data = "scenes:1:2";
  drawn.detect_prompt = "each";
  EXPECT_EQ(code_of(drawn), "detect_prompt");
  Recipe lost = recipe("lost");
  lost.targets = {"nothing"};
  EXPECT_EQ(code_of(lost), "targets");
  Recipe measured = recipe("measured");
  measured.metric = "beauty";
  EXPECT_EQ(code_of(measured), "metric");
}

}  // namespace
}  // namespace paligemma::test
