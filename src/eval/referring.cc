#include "eval/referring.h"

#include "eval/metrics.h"

namespace paligemma {

ReferringMatch match_reference(const MarkedPicture& picture) {
  if (picture.truth.empty()) return {};
  const MarkedObject& truth = picture.truth.front();
  const MarkedObject* found = picture.found.empty() ? nullptr : &picture.found.front();
  ReferringMatch match;
  match.either = truth.mask ? static_cast<double>(pixels_inside(*truth.mask)) : area_of(truth, false);
  if (!found || (truth.mask && !found->mask)) return match;
  match.box_iou = box_iou(found->box, truth.box);
  if (!truth.mask) {
    const double areas = area_of(*found, false) + area_of(truth, false);
    match.valid = true;
    match.iou = match.box_iou;
    match.both = areas * match.iou / (1 + match.iou);
    match.either = areas - match.both;
    return match;
  }
  const auto pixels = static_cast<double>(pixels_inside(*found->mask));
  match.valid = true;
  match.both = static_cast<double>(pixels_inside(*found->mask, *truth.mask));
  match.either += pixels - match.both;
  match.iou = match.either > 0 ? match.both / match.either : 0;
  return match;
}

}  // namespace paligemma
