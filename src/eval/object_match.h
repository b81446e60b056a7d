// What was found of what is there, at one overlap: for precision, recall, F1 and the calibration of scores.
#pragma once

#include <cstddef>
#include <vector>

#include "eval/marked_object.h"

namespace paligemma {

enum class Finding {
  right,
  wrong,
  neither,  // meets a crowd
};

constexpr double kMatchIou = 0.5;  // from here on an object counts as found

// One for each found object. By falling score, of equal ones the first, each takes of the objects with its label that
// no other has taken the one that it overlaps most, if by at least `iou`.
std::vector<Finding> judge_found(const MarkedPicture& picture, bool masks, double iou);

// Of each object that is there, crowds left out, the IoU with what was found for it; 0: nothing was. Pairs with the
// same label go together, those that overlap most first.
std::vector<double> matched_overlaps(const MarkedPicture& picture, bool masks);

// Of one picture, or summed up over many.
struct FindingCounts {
  std::size_t right = 0, wrong = 0, missed = 0;

  FindingCounts& operator+=(const FindingCounts& other);
  double precision() const;  // 1 where nothing was found
  double recall() const;     // 1 where nothing is there
  double f1() const;         // 2 right / (2 right + wrong + missed); 1 where nothing is there and nothing was found
};

FindingCounts count_findings(const MarkedPicture& picture, bool masks, double iou);

// By how much the numbers of objects of each label differ, summed up over labels. Crowds are not counted.
double count_error(const MarkedPicture& picture);

}  // namespace paligemma
