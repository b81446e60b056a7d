// Average precision and recall of detections as pycocotools' COCOeval computes them.
#pragma once

#include <array>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "eval/marked_object.h"

namespace paligemma {

inline constexpr int kIouSteps = 10;      // .5, .55, ... .95
inline constexpr int kRecallSteps = 101;  // 0, .01, ... 1
inline constexpr double kNoTruth = -1;    // what is said of objects of which there are none, as pycocotools does

struct ClassPrecision {
  std::string label{};
  double ap = kNoTruth;
  // (IoU, recall): the highest precision at such a recall or a higher one; of all sizes and 100 detections.
  std::array<std::array<double, kRecallSteps>, kIouSteps> precision{};
};

// Means over classes that have objects, crowds apart, and over IoUs where the name does not say one; kNoTruth without
// any. Sizes are those of COCO: below 32 * 32, up to 96 * 96, above.
struct DetectionScores {
  double ap = kNoTruth, ap50 = kNoTruth, ap75 = kNoTruth;
  double ap_small = kNoTruth, ap_medium = kNoTruth, ap_large = kNoTruth;
  double ar1 = kNoTruth, ar10 = kNoTruth, ar100 = kNoTruth;  // recall of so many detections of a class in a picture
  double ar_small = kNoTruth, ar_medium = kNoTruth, ar_large = kNoTruth;
  std::array<double, kIouSteps> ap_of_iou{};
  std::vector<ClassPrecision> classes{};  // by name
};

// Of boxes, or of masks. Detections without a score have that of a certain one: the order of pictures, and of
// detections in a picture, decides between equal scores. Classes are the labels of what is there and `labels`; what is
// found beside them counts for nothing.
DetectionScores average_precision(std::span<const MarkedPicture> pictures, bool masks,
                                  std::span<const std::string> labels = {});

}  // namespace paligemma
