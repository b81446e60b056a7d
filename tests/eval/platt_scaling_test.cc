// Fits of scores against what is known of their optimum without the code that finds it.
#include "eval/platt_scaling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "support/errors.h"

namespace paligemma {
namespace {

std::vector<ScoredAnswer> repeated(double score, int right, int wrong) {
  std::vector<ScoredAnswer> answers;
  for (int i = 0; i < right + wrong; ++i) answers.push_back({.score = score, .right = i < right});
  return answers;
}

std::vector<ScoredAnswer> joined(std::vector<ScoredAnswer> a, const std::vector<ScoredAnswer>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

double target_mean(double right, double wrong, double all_right, double all_wrong) {
  return (right * (all_right + 1) / (all_right + 2) + wrong / (all_wrong + 2)) / (right + wrong);
}

// Two parameters meet two values.
TEST(PlattScaling, TwoScoresGetTheirSmoothedFrequencies) {
  const auto answers = joined(repeated(.2, 3, 7), repeated(.7, 25, 5));
  const ScoreCalibration fit = fit_calibration(answers);
  EXPECT_NEAR(fit.score(.2), target_mean(3, 7, 28, 12), 1e-9);
  EXPECT_NEAR(fit.score(.7), target_mean(25, 5, 28, 12), 1e-9);
  EXPECT_GT(fit.slope, 0);
}

// The likelihood is concave: its gradient is 0 at the optimum alone. Scores are those of boxes, near 1 and as small as
// numbers get.
TEST(PlattScaling, GradientOfTheLikelihoodIsZero) {
  std::vector<ScoredAnswer> answers;
  double right = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const double score = std::pow(uniform(11, i), 3), chance = 1 / (1 + std::exp(-(2.5 * std::log(score) + 4)));
    answers.push_back({.score = score, .right = uniform(12, i) < chance});
    right += answers.back().right;
  }
  answers.push_back({.score = 0, .right = false});
  const double wrong = static_cast<double>(answers.size()) - right;
  const ScoreCalibration fit = fit_calibration(answers);
  double by_slope = 0, by_offset = 0, size = 0;
  for (const ScoredAnswer& answer : answers) {
    const double x = log_loc_geomean(answer.score), p = 1 / (1 + std::exp(-(fit.slope * x + fit.offset)));
    const double target = answer.right ? (right + 1) / (right + 2) : 1 / (wrong + 2);
    by_slope += (p - target) * x, by_offset += p - target, size += std::abs((p - target) * x);
  }
  EXPECT_NEAR(by_slope, 0, 1e-9 * size);
  EXPECT_NEAR(by_offset, 0, 1e-9 * size);
  EXPECT_GT(fit.slope, 1);  // made with 2.5
  EXPECT_LT(fit.slope, 5);
}

TEST(PlattScaling, StaysFiniteWhereScoresTellAllApart) {
  const auto answers = joined(repeated(.3, 0, 40), repeated(.9, 60, 0));
  const ScoreCalibration fit = fit_calibration(answers);
  EXPECT_NEAR(fit.score(.3), 1.0 / 42, 1e-9);
  EXPECT_NEAR(fit.score(.9), 61.0 / 62, 1e-9);
}

TEST(PlattScaling, WithoutAnOrderAllScoresAreTheShareOfRightOnes) {
  const ScoreCalibration falling = fit_calibration(joined(repeated(.2, 9, 1), repeated(.8, 1, 9)));
  EXPECT_EQ(falling.slope, 0);
  EXPECT_NEAR(falling.score(.2), .5, 1e-12);
  EXPECT_EQ(falling.score(.8), falling.score(0));
  const ScoreCalibration equal = fit_calibration(repeated(.4, 30, 0));
  EXPECT_EQ(equal.slope, 0);
  EXPECT_NEAR(equal.offset, std::log(31), 1e-9);
  EXPECT_EQ(fit_calibration({}).score(.5), .5);
}

Record picture_with(double score, bool right) {
  const std::array<double, 4> there = {0, 0, 10, 10}, elsewhere = {50, 50, 60, 60};
  return {.task = RecordTask::detect,
          .objects = {.truth = {{.label = "cow", .box = there}},
                      .found = {{.label = "cow", .box = right ? there : elsewhere, .score = score}}}};
}

TEST(PlattScaling, ErrorsAreThoseOfTheBoxes) {
  std::vector<Record> records;
  for (int i = 0; i < 40; ++i) records.push_back(picture_with(i % 2 == 0 ? .45 : .15, i % 2 == 0));
  // Neither: a text with a confidence, a box that meets a crowd, one without a score, one whose score is no number.
  records.push_back({.prediction = "yes", .answers = {"no"}, .confidence = .99});
  for (int i = 0; i < 3; ++i) records.push_back(picture_with(.45, i == 0));
  records[41].objects.truth[0].crowd = true;
  records[42].objects.found[0].score.reset();
  records[43].objects.found[0].score = NAN;
  const ScoreFit fit = fit_scores(records);
  EXPECT_EQ(fit.boxes, 40u);
  EXPECT_NEAR(fit.error_before, (.55 + .15) / 2, 1e-12);
  EXPECT_NEAR(fit.error_after, 1.0 / 22, 1e-9);  // 21/22 and 1/22 in the place of 1 and 0
  EXPECT_NEAR(fit.calibration.score(.45), 21.0 / 22, 1e-9);
}

TEST(PlattScaling, FewBoxesAreRefused) {
  std::vector<Record> records(kFewestBoxes - 1, picture_with(.5, true));
  expect_error(ErrorKind::usage, "few_boxes", "expected at least 20 answered boxes, got 19",
               [&] { fit_scores(records); });
  records.push_back(picture_with(.4, false));
  EXPECT_EQ(fit_scores(records).boxes, kFewestBoxes);
}

}  // namespace
}  // namespace paligemma
