// Platt scaling, fitted: which calibration makes the scores of answered boxes probabilities.
//
// J. Platt, Probabilistic outputs for support vector machines (1999), with its smoothed targets; Newton's method with
// damped steps as in https://doi.org/10.1007/s10994-007-5018-6.
#pragma once

#include <cstddef>
#include <span>

#include "eval/calibration.h"
#include "eval/records.h"
#include "model/score_calibration.h"

namespace paligemma {

// The most probable slope and offset, of scores that are loc_geomean. Targets are (right + 1) / (right + 2) and
// 1 / (wrong + 2) in the place of 1 and 0, so that the numbers stay finite where a score tells right from wrong without
// an error. Where boxes with a higher score are right less often, and where all scores are equal, the slope is 0.
// Scores are finite; without answers the result is {0, 0}.
ScoreCalibration fit_calibration(std::span<const ScoredAnswer> answers);

constexpr std::size_t kFewestBoxes = 20;  // that two numbers are fitted to

struct ScoreFit {
  ScoreCalibration calibration;
  std::size_t boxes = 0;
  double error_before = 0, error_after = 0;  // calibration_error() of them, 0..1
};

// Fits to all boxes that were found, and whose scores are loc_geomean. Throws Error{usage, "few_boxes"} where there are
// fewer than kFewestBoxes.
ScoreFit fit_scores(std::span<const Record> records);

}  // namespace paligemma
