// paligemma eval --calibrate: what it keeps, says and refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "child.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

// The embedded model's folder without its calibration, to be changed.
class Calibrate : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(model);
    for (const auto& entry : fs::directory_iterator(POCKET_DIR))
      if (const auto end = entry.path().extension(); end == ".json" || end == ".safetensors")
        fs::copy_file(entry.path(), fs::path(model) / entry.path().filename());
    before = config();
    before.erase("paligemma_score_slope"), before.erase("paligemma_score_offset");
    scratch.write("model/config.json", before.dump());
  }
  Json config() const { return Json::parse(scratch.read("model/config.json")); }
  static Ended eval(const std::string& data, std::vector<std::string> more) {
    std::vector<std::string> words{"eval", data, "--calibrate", "-q"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
  static void expect_refused(const std::vector<std::string>& more, const char* part, const char* data = "scenes:8:16") {
    const Ended ended = eval(data, more);
    EXPECT_EQ(ended.code, 2) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(part));
    EXPECT_EQ(ended.out, "");
  }

  const Scratch scratch;
  const std::string model = scratch.path("model");
  Json before;
};

TEST_F(Calibrate, KeepsWhatItFittedAndScoresByIt) {
  const Ended raw = run_program({"detect", "cow", kBeach, "-m", model, "--json"});
  const Ended ended = eval("scenes:8:16", {"-m", model, "--json", "-o", scratch.path("results")});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const Json fit = json_of(ended)["calibration"];
  EXPECT_EQ(Json::parse(scratch.read("results/metrics.json"))["calibration"], fit);
  EXPECT_GE(fit["boxes"], 20);
  EXPECT_LE(fit["ece"], fit["ece_before"]);
  before["paligemma_score_slope"] = fit["slope"], before["paligemma_score_offset"] = fit["offset"];
  EXPECT_EQ(config(), before);

  const Json was = json_of(raw)["objects"].at(0);
  const Json is = json_of(run_program({"detect", "cow", kBeach, "-m", model, "--json"}))["objects"].at(0);
  EXPECT_EQ(was["score_kind"], "loc_geomean");
  EXPECT_EQ(is["score_kind"], "loc_calibrated");
  const double logit = fit["slope"].get<double>() * std::log(was["score"].get<double>()) + fit["offset"].get<double>();
  EXPECT_NEAR(is["score"].get<double>(), 1 / (1 + std::exp(-logit)), 1e-12);
  EXPECT_EQ(is["box"], was["box"]);
  EXPECT_THAT(run_program({"inspect", model}).out, HasSubstr("score calibration: slope "));

  // Once more: from the same scores, not from those that it made.
  const Ended again = eval("scenes:8:16", {"-m", model});
  EXPECT_THAT(again.out, HasSubstr("calibrated\tECE "));
  EXPECT_EQ(config(), before);
}

TEST_F(Calibrate, RefusesBeforeAnythingIsAnswered) {
  expect_refused({}, "Try: paligemma convert --to hf");
  const std::string file = scratch.path("m.gguf");
  ASSERT_EQ(run_program({"quantize", model, file, "--type", "q8", "-q"}).code, 0);
  expect_refused({"-m", file}, "Try: paligemma convert --to hf");
  expect_refused({"-m", model, "--predictions", scratch.write("a.jsonl", "{}")}, "expected no --predictions");
  expect_refused({"-m", model}, "expected at least 20 answered boxes", "scenes:8:1");
  EXPECT_EQ(config(), before);
}

TEST_F(Calibrate, DamagedNumbersAreTheModelsFault) {
  before["paligemma_score_slope"] = -1, before["paligemma_score_offset"] = 0;
  scratch.write("model/config.json", before.dump());
  const Ended ended = run_program({"detect", "cow", kBeach, "-m", model});
  EXPECT_EQ(ended.code, 4);
  EXPECT_THAT(ended.err, HasSubstr("paligemma_score_slope: expected a number from 0 on"));
}

}  // namespace
}  // namespace paligemma::test
