#include "eval/platt_scaling.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr int kMostSteps = 100;
constexpr double kEnough = 1e-10;      // of the mean loss that a step may still gain
constexpr double kSameScores = 1e-9;   // deviation of logarithms below which scores say nothing
constexpr double kShareOfGain = 1e-4;  // of what a step promises it has to keep so much

struct ScaledPoint {
  double x, target;
};

// The mean of -(t ln p + (1 - t) ln(1 - p)) over points, where p = 1 / (1 + exp(-(slope x + offset))).
double mean_loss(std::span<const ScaledPoint> points, const ScoreCalibration& line) {
  double sum = 0;
  for (const auto& [x, target] : points) {
    const double u = line.slope * x + line.offset;
    sum += std::max(u, 0.0) + std::log1p(std::exp(-std::abs(u))) - target * u;
  }
  return sum / static_cast<double>(points.size());
}

// Where Newton's method goes from `line`, and twice what it promises to gain.
struct NewtonStep {
  double slope = 0, offset = 0, promise = 0;
};

NewtonStep newton_step(std::span<const ScaledPoint> points, const ScoreCalibration& line) {
  double by_slope = 0, by_offset = 0, slopes = 0, mixed = 0, offsets = 0;
  for (const auto& [x, target] : points) {
    const double p = 1 / (1 + std::exp(-(line.slope * x + line.offset))), curvature = p * (1 - p);
    by_slope += (p - target) * x, by_offset += p - target;
    slopes += curvature * x * x, mixed += curvature * x, offsets += curvature;
  }
  const double determinant = slopes * offsets - mixed * mixed;
  if (!(determinant > 0)) return {};
  NewtonStep step{.slope = -(offsets * by_slope - mixed * by_offset) / determinant,
                  .offset = -(slopes * by_offset - mixed * by_slope) / determinant};
  step.promise = -(by_slope * step.slope + by_offset * step.offset) / static_cast<double>(points.size());
  return step;
}

ScoreCalibration moved(const ScoreCalibration& line, const NewtonStep& step, double share) {
  return {line.slope + share * step.slope, line.offset + share * step.offset};
}

ScoreCalibration most_likely(std::span<const ScaledPoint> points, ScoreCalibration line) {
  for (int i = 0; i < kMostSteps; ++i) {
    const NewtonStep step = newton_step(points, line);
    if (step.promise < kEnough) return moved(line, step, 1);
    const double before = mean_loss(points, line);
    double share = 1;
    while (mean_loss(points, moved(line, step, share)) > before - kShareOfGain * share * step.promise) share /= 2;
    line = moved(line, step, share);
  }
  return line;
}

}  // namespace

ScoreCalibration fit_calibration(std::span<const ScoredAnswer> answers) {
  if (answers.empty()) return {0, 0};
  const auto count = static_cast<double>(answers.size());
  const auto right = static_cast<double>(std::ranges::count(answers, true, &ScoredAnswer::right));
  std::vector<ScaledPoint> points;
  ScaledPoint mean{0, 0};
  for (const ScoredAnswer& answer : answers) {
    points.push_back(
        {log_loc_geomean(answer.score), answer.right ? (right + 1) / (right + 2) : 1 / (count - right + 2)});
    mean.x += points.back().x / count, mean.target += points.back().target / count;
  }
  const ScoreCalibration flat{0, std::log(mean.target / (1 - mean.target))};
  double variance = 0;
  for (ScaledPoint& point : points) point.x -= mean.x, variance += point.x * point.x / count;
  const double deviation = std::sqrt(variance);
  if (deviation < kSameScores) return flat;
  // Numbers around 0 with a deviation of 1 keep the two equations of a step apart.
  for (ScaledPoint& point : points) point.x /= deviation;
  const ScoreCalibration line = most_likely(points, flat);
  const double slope = line.slope / deviation;
  return slope > 0 ? ScoreCalibration{slope, line.offset - slope * mean.x} : flat;
}

ScoreFit fit_scores(std::span<const Record> records) {
  std::vector<ScoredAnswer> answers;
  for (const Record& record : records)
    if (is_about_objects(record)) std::ranges::copy(scored_boxes(record.objects), std::back_inserter(answers));
  std::erase_if(answers, [](const ScoredAnswer& answer) { return !std::isfinite(answer.score); });
  if (answers.size() < kFewestBoxes)
    fail(ErrorKind::usage, "few_boxes", "cannot calibrate scores: expected at least ", kFewestBoxes,
         " answered boxes, got ", answers.size(), ". Try: data with more objects to detect");
  ScoreFit fit{.calibration = fit_calibration(answers),
               .boxes = answers.size(),
               .error_before = calibration_error(reliability_curve(answers))};
  for (ScoredAnswer& answer : answers) answer.score = fit.calibration.score(answer.score);
  fit.error_after = calibration_error(reliability_curve(answers));
  return fit;
}

}  // namespace paligemma
