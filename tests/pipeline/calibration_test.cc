// Calibrated scores of boxes: which calibration is taken, and where it is kept.
#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

#include <cmath>

#include "calibration_file.h"
#include "inspect.h"
#include "inspect_adapter.h"
#include "merge_model.h"
#include "model/trained_numerics.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::golden;
using test::Scratch;

constexpr ScoreCalibration kOfModel{2, 1}, kOfAdapter{0.5, -1};

// A model and an adapter that have a calibration each, and an adapter that has none.
class Calibration : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(golden("models/pg2"), model());
    Json config = parse_json(scratch.read("model/config.json"), "config.json", ErrorKind::failure);
    config["paligemma_score_slope"] = kOfModel.slope;
    config["paligemma_score_offset"] = kOfModel.offset;
    scratch.write("model/config.json", config.dump());
    for (const char* name : {"own", "plain"}) fs::copy(golden("lora/plain"), scratch.folder() / name);
    scratch.write("own/paligemma.json", R"({"final_logit_softcapping": 30, "attn_logit_softcapping": 50,)"
                                        R"("paligemma_score_slope": 0.5, "paligemma_score_offset": -1})");
  }
  fs::path model() const { return scratch.folder() / "model"; }
  ModelOptions options(const std::vector<std::string>& adapters, bool merge = false) const {
    ModelOptions options{.weights = WeightType::f32, .compute = Compute::f32, .threads = 2};
    for (const std::string& name : adapters) options.adapters.push_back(scratch.folder() / name);
    options.merge_adapters = merge;
    return options;
  }
  // A box that is given, so that there is something to score.
  Request request(std::optional<std::string> adapter = std::nullopt) const {
    Request out{.task = Task::detect, .max_tokens = 0, .logprobs = true};
    out.labels = {"cat"};
    out.suffix = "<loc0001><loc0002><loc0500><loc0600> cat";
    out.pictures.push_back({"a.jpg", read_picture(golden("pictures/astronaut.jpg"))});
    out.adapter = std::move(adapter);
    return out;
  }
  static void expect_scored_by(const Result& result, const std::optional<ScoreCalibration>& calibration) {
    ASSERT_EQ(result.objects.size(), 1u);
    double mean = 0;
    for (std::size_t i = 0; i < 4; ++i) mean += result.tokens.at(i).logprob / 4;
    const Object& object = result.objects[0];
    EXPECT_EQ(object.score_kind, calibration ? ScoreKind::loc_calibrated : ScoreKind::loc_geomean);
    const double expected =
        calibration ? 1 / (1 + std::exp(-(calibration->slope * mean + calibration->offset))) : std::exp(mean);
    EXPECT_NEAR(object.score.value(), expected, 1e-12);
  }
  Result answer(const fs::path& path, const ModelOptions& options) const {
    return Model::open(path, options).answer(request());
  }

  const Scratch scratch;
};

TEST_F(Calibration, IsThatOfTheWeightsThatAnswer) {
  Model model = Model::open(this->model(), options({"plain", "own"}));
  const std::vector<Request> requests = {request(), request("plain"), request("own"), request()};
  const std::vector<Result> results = model.answer(requests);
  expect_scored_by(results[0], kOfModel);
  expect_scored_by(results[1], std::nullopt);
  expect_scored_by(results[2], kOfAdapter);
  expect_scored_by(results[3], kOfModel);
  expect_scored_by(answer(golden("models/pg2"), options({})), std::nullopt);
}

TEST_F(Calibration, OfMergedWeightsIsTheOneAdapters) {
  expect_scored_by(answer(model(), options({"own"}, true)), kOfAdapter);
  expect_scored_by(answer(model(), options({"plain"}, true)), std::nullopt);
  expect_scored_by(answer(model(), options({"plain", "own"}, true)), std::nullopt);
  for (const char* name : {"own", "plain"}) {
    merge_model(open_model_files(model()), scratch.folder() / name, scratch.folder() / "merged", {}, {.force = true});
    EXPECT_EQ(open_model_files(scratch.folder() / "merged").config.score_calibration,
              name == std::string("own") ? std::optional(kOfAdapter) : std::nullopt);
  }
}

TEST_F(Calibration, GoesIntoFormsThatCanHoldIt) {
  const ModelFiles from = open_model_files(model());
  convert(from, scratch.folder() / "hf", {.to = Form::hugging_face});
  EXPECT_EQ(open_model_files(scratch.folder() / "hf").config.score_calibration, kOfModel);
  convert(from, scratch.folder() / "m.npz", {.to = Form::big_vision});
  EXPECT_EQ(open_model_files(scratch.folder() / "m.npz").config.score_calibration, std::nullopt);
}

TEST_F(Calibration, IsInspected) {
  EXPECT_EQ(inspection_json(inspect(open_model_files(model()), "m"))["score_calibration"],
            Json({{"slope", 2.0}, {"offset", 1.0}}));
  EXPECT_TRUE(inspection_json(inspect(open_model_files(golden("models/pg2")), "m"))["score_calibration"].is_null());
  const auto adapter = [&](const char* name) {
    return adapter_inspection_json(
        inspect_adapter(Folder::on_disk(scratch.folder() / name, ErrorKind::model), name))["score_calibration"];
  };
  EXPECT_EQ(adapter("own"), Json({{"slope", 0.5}, {"offset", -1.0}}));
  EXPECT_TRUE(adapter("plain").is_null());
}

TEST_F(Calibration, IsKeptInTheModelsConfiguration) {
  const ModelFiles files = open_model_files(golden("models/pg2"));
  const CalibrationFile file = find_calibration_file(files, model(), {});
  EXPECT_EQ(file.path, model() / "config.json");
  Json before = parse_json(scratch.read("model/config.json"), "before", ErrorKind::failure);
  keep_calibration(file, {3.25, -0.1});
  before["paligemma_score_slope"] = 3.25, before["paligemma_score_offset"] = -0.1;
  EXPECT_EQ(parse_json(scratch.read("model/config.json"), "after", ErrorKind::failure), before);
}

// One without a file of its own had what its model says: soft caps of none would be another thing.
TEST_F(Calibration, IsKeptBesideTheAdapterThatAnswers) {
  const ModelFiles files = open_model_files(model());
  keep_calibration(find_calibration_file(files, {}, options({"plain", "own"})), {3, 4});
  TrainedNumerics expected{.final_cap = 30, .attention_cap = 50, .score_calibration = ScoreCalibration{3, 4}};
  EXPECT_EQ(read_trained_numerics(Folder::on_disk(scratch.folder() / "plain", ErrorKind::model)), expected);
  expect_scored_by(Model::open(model(), options({"plain"})).answer(request("plain")), ScoreCalibration{3, 4});

  scratch.write("own/paligemma.json", R"({"attn_logit_softcapping": 7, "mine": [1]})");
  keep_calibration(find_calibration_file(files, {}, options({"own"})), {3, 4});
  EXPECT_EQ(parse_json(scratch.read("own/paligemma.json"), "after", ErrorKind::failure),
            Json({{"attn_logit_softcapping", 7},
                  {"mine", {1}},
                  {"paligemma_score_slope", 3.0},
                  {"paligemma_score_offset", 4.0}}));
}

TEST_F(Calibration, ModelsWithoutAPlaceForItAreRefused) {
  expect_error(ErrorKind::usage, "cannot_calibrate", "Try:", [&] { find_calibration_file(find_model({}), {}, {}); });
  const fs::path npz = golden("npz/pg2/model.npz");
  expect_error(ErrorKind::usage, "cannot_calibrate",
               "Try:", [&] { find_calibration_file(open_model_files(npz), npz, {}); });
}

TEST_F(Calibration, IsFittedToScoresWithoutIt) {
  const auto pipeline = open_pipeline(model(), options({"own"}));
  score_uncalibrated(*pipeline);
  const std::vector<Request> asked = {request("own"), request()};
  for (const Result& result : paligemma::answer(*pipeline, asked, {}, {})) expect_scored_by(result, std::nullopt);
  pipeline->box_numerics[0].noise_boxes = 3;
  expect_error(ErrorKind::usage, "cannot_calibrate", "noise boxes", [&] { score_uncalibrated(*pipeline); });
}

}  // namespace
}  // namespace paligemma
