#include "eval/calibration.h"

#include <algorithm>
#include <cmath>

#include "eval/object_match.h"

namespace paligemma {

std::vector<ScoredAnswer> scored_boxes(const MarkedPicture& picture) {
  std::vector<ScoredAnswer> answers;
  const std::vector<Finding> findings = judge_found(picture, false, kMatchIou);
  for (std::size_t i = 0; i < findings.size(); ++i)
    if (const auto score = picture.found[i].score; score && findings[i] != Finding::neither)
      answers.push_back({.score = *score, .right = findings[i] == Finding::right});
  return answers;
}

std::vector<ReliabilityBin> reliability_curve(std::span<const ScoredAnswer> answers, int bins) {
  std::vector<ReliabilityBin> curve(static_cast<std::size_t>(bins));
  for (int i = 0; i < bins; ++i) {
    curve[i].low = static_cast<double>(i) / bins;
    curve[i].high = static_cast<double>(i + 1) / bins;
  }
  for (const ScoredAnswer& answer : answers) {
    const auto found = std::ranges::lower_bound(curve, answer.score, {}, &ReliabilityBin::high);
    ReliabilityBin& bin = found == curve.end() ? curve.back() : *found;
    ++bin.count;
    bin.score += answer.score;
    bin.accuracy += answer.right ? 1 : 0;
  }
  for (ReliabilityBin& bin : curve) {
    if (bin.count == 0) continue;
    bin.score /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return curve;
}

double calibration_error(std::span<const ReliabilityBin> curve) {
  double sum = 0, count = 0;
  for (const ReliabilityBin& bin : curve) {
    sum += static_cast<double>(bin.count) * std::abs(bin.score - bin.accuracy);
    count += static_cast<double>(bin.count);
  }
  return count > 0 ? sum / count : 0;
}

}  // namespace paligemma
