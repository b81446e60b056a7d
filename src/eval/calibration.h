// Whether scores are probabilities: of the answers with a score of .8 four in five should be right.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "eval/marked_object.h"

namespace paligemma {

struct ScoredAnswer {
  double score = 0;  // 0..1
  bool right = false;
};

// Those of a picture's found boxes that have a score, right at an overlap of kMatchIou. What meets a crowd is neither
// right nor wrong, and left out.
std::vector<ScoredAnswer> scored_boxes(const MarkedPicture& picture);

// A part of the reliability curve: answers with scores in (low, high], in the first one from `low` on.
struct ReliabilityBin {
  double low = 0, high = 0;
  std::size_t count = 0;
  double score = 0;     // their mean
  double accuracy = 0;  // the share that is right
};

// Equally wide parts of 0..1.
std::vector<ReliabilityBin> reliability_curve(std::span<const ScoredAnswer> answers, int bins = 15);

// The expected calibration error (https://arxiv.org/abs/1706.04599): the mean distance of score and accuracy over
// answers, each in its part of the curve.
double calibration_error(std::span<const ReliabilityBin> curve);

}  // namespace paligemma
