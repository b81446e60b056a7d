// Platt scaling of the scores of boxes: from how sharply a place is known to how often such a box is right.
//
//     score = 1 / (1 + exp(-(slope * ln(loc_geomean) + offset)))
#pragma once

#include <optional>

#include "io/json_fields.h"

namespace paligemma {

struct ScoreCalibration {
  double slope = 1, offset = 0;  // slope >= 0: the order of boxes stays

  double score(double loc_geomean) const;
  bool operator==(const ScoreCalibration&) const = default;
};

// The logarithm that is scaled: finite also where a probability is too small for a number.
double log_loc_geomean(double loc_geomean);

// `paligemma_score_slope` and `paligemma_score_offset`; nothing where neither is there. One without the other, a
// negative slope and what is no finite number are refused as `fields` refuses.
std::optional<ScoreCalibration> read_score_calibration(const JsonFields& fields);

// Sets the two fields where there is a calibration.
void put_score_calibration(const std::optional<ScoreCalibration>& calibration, Json& json);

}  // namespace paligemma
