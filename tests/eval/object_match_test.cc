#include "eval/object_match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/calibration.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;

MarkedObject cow(std::array<double, 4> box, std::optional<double> score = {}) {
  return {.label = "cow", .box = box, .score = score};
}

TEST(ObjectMatch, TheSurestTakesFirst) {
  const MarkedPicture picture = {.truth = {cow({0, 0, 10, 10})},
                                 .found = {cow({0, 0, 10, 10}, .2), cow({0, 0, 10, 6}, .9)}};
  EXPECT_THAT(judge_found(picture, false, .5), ElementsAre(Finding::wrong, Finding::right));
  const FindingCounts counts = count_findings(picture, false, .5);
  EXPECT_EQ(counts.precision(), .5);
  EXPECT_EQ(counts.recall(), 1);
  EXPECT_DOUBLE_EQ(counts.f1(), 2.0 / 3);
}

TEST(ObjectMatch, LabelsHaveToBeTheSame) {
  MarkedPicture picture = {.truth = {cow({0, 0, 10, 10})}, .found = {cow({0, 0, 10, 10})}};
  picture.found[0].label = "Cow";
  const FindingCounts counts = count_findings(picture, false, .5);
  EXPECT_EQ(counts.f1(), 0);
  EXPECT_EQ(counts.missed, 1u);
  EXPECT_EQ(count_error(picture), 2);
}

TEST(ObjectMatch, ACrowdIsNeitherFoundNorMissed) {
  MarkedPicture picture = {.truth = {cow({0, 0, 100, 100})}, .found = {cow({0, 0, 10, 10}), cow({200, 0, 210, 10})}};
  picture.truth[0].crowd = true;
  EXPECT_THAT(judge_found(picture, false, .5), ElementsAre(Finding::neither, Finding::wrong));
  EXPECT_EQ(count_findings(picture, false, .5).missed, 0u);
  EXPECT_EQ(count_error(picture), 2);
}

TEST(ObjectMatch, NothingThereAndNothingFound) {
  const FindingCounts counts = count_findings({}, false, .5);
  EXPECT_EQ(counts.precision(), 1);
  EXPECT_EQ(counts.recall(), 1);
  EXPECT_EQ(counts.f1(), 1);
}

TEST(Calibration, AsTorchmetrics) {
  const Json golden = golden_json("eval/calibration.json");
  std::vector<ScoredAnswer> answers;
  for (std::size_t i = 0; i < golden["scores"].size(); ++i)
    answers.push_back({.score = golden["scores"][i], .right = golden["right"][i] == 1});
  for (const auto& [bins, error] : golden["ece_of_bins"].items())
    EXPECT_NEAR(calibration_error(reliability_curve(answers, std::stoi(bins))), error.get<double>(), kMetricTolerance);
}

TEST(Calibration, CurveByHand) {
  const std::vector<ScoredAnswer> answers = {{0, false}, {.5, true}, {.5, false}, {.75, true}, {1, true}};
  const std::vector<ReliabilityBin> curve = reliability_curve(answers, 2);
  EXPECT_EQ(curve[0].count, 3u);
  EXPECT_DOUBLE_EQ(curve[0].score, 1.0 / 3);
  EXPECT_DOUBLE_EQ(curve[0].accuracy, 1.0 / 3);
  EXPECT_EQ(curve[1].count, 2u);
  EXPECT_DOUBLE_EQ(calibration_error(curve), (3 * 0 + 2 * .125) / 5);
  EXPECT_EQ(calibration_error(reliability_curve({})), 0);
}

}  // namespace
}  // namespace paligemma::test
