// How well the one object that an expression means was found (RefCOCO), as big_vision's segmentation evaluator measures
// it.
#pragma once

#include <cstdint>

#include "eval/marked_object.h"

namespace paligemma {

// The first object that is there against the first that was found, whatever their labels are. Where there is a mask, an
// answer without one is not valid: all of it is wrong. Where there is none, the boxes are compared.
struct ReferringMatch {
  bool valid = false;
  double iou = 0;               // of masks, or boxes
  double box_iou = 0;           // of boxes
  double both = 0, either = 0;  // pixels; their sums over all examples make the cumulative IoU
};

ReferringMatch match_reference(const MarkedPicture& picture);

}  // namespace paligemma
