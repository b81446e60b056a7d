#include "model/score_calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace paligemma {
namespace {

constexpr const char *kSlopeKey = "paligemma_score_slope", *kOffsetKey = "paligemma_score_offset";

}  // namespace

double log_loc_geomean(double loc_geomean) {
  return std::log(std::max(loc_geomean, std::numeric_limits<double>::min()));
}

double ScoreCalibration::score(double loc_geomean) const {
  return 1 / (1 + std::exp(-(slope * log_loc_geomean(loc_geomean) + offset)));
}

std::optional<ScoreCalibration> read_score_calibration(const JsonFields& fields) {
  const auto slope = fields.number(kSlopeKey, kFloatFromZero), offset = fields.number(kOffsetKey, kAnyFloat);
  if (slope && !offset) fields.refuse(kOffsetKey, join("a number, as there is ", kSlopeKey));
  if (offset && !slope) fields.refuse(kSlopeKey, join("a number, as there is ", kOffsetKey));
  if (!slope) return {};
  return ScoreCalibration{*slope, *offset};
}

void put_score_calibration(const std::optional<ScoreCalibration>& calibration, Json& json) {
  if (!calibration) return;
  json[kSlopeKey] = calibration->slope;
  json[kOffsetKey] = calibration->offset;
}

}  // namespace paligemma
