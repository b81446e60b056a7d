// Metrics of found objects, over records.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "eval/answers.h"
#include "eval/average_precision.h"
#include "eval/calibration.h"
#include "eval/metric_functions.h"
#include "eval/object_match.h"
#include "eval/referring.h"

namespace paligemma {
namespace {

std::vector<MarkedPicture> pictures_in(RecordsInMetric records) {
  std::vector<MarkedPicture> pictures;
  for (const Record* record : records) pictures.push_back(record->objects);
  return pictures;
}

// The F1 of each record, so that the worst can be picked.
std::vector<double> f1_of_records(RecordsInMetric records, bool masks) {
  std::vector<double> scores;
  for (const Record* record : records) scores.push_back(count_findings(record->objects, masks, kMatchIou).f1());
  return scores;
}

MetricValues precision_values(const std::string& name, RecordsInMetric records, bool masks) {
  const std::vector<MarkedPicture> pictures = pictures_in(records);
  const DetectionScores scores = average_precision(pictures, masks);
  MetricValues values = {{.name = name, .value = scores.ap, .of_records = f1_of_records(records, masks)}};
  for (const ClassPrecision& one : scores.classes) {
    std::size_t count = 0;
    for (const MarkedPicture& picture : pictures)
      count += std::ranges::count_if(
          picture.truth, [&](const MarkedObject& object) { return object.label == one.label && !object.crowd; });
    values[0].parts.push_back({.name = one.label, .value = one.ap, .count = count});
  }
  const std::pair<const char*, double> named[] = {{"50", scores.ap50},           {"75", scores.ap75},
                                                  {"small", scores.ap_small},    {"medium", scores.ap_medium},
                                                  {"large", scores.ap_large},    {"ar1", scores.ar1},
                                                  {"ar10", scores.ar10},         {"ar100", scores.ar100},
                                                  {"ar_small", scores.ar_small}, {"ar_medium", scores.ar_medium},
                                                  {"ar_large", scores.ar_large}};
  for (const auto& [part, value] : named) values.push_back({.name = name + "/" + part, .value = value});
  return values;
}

MetricValues finding_values(const std::string& name, std::span<const MarkedPicture> pictures, bool masks) {
  FindingCounts all;
  std::vector<double> of_records;
  for (const MarkedPicture& picture : pictures) {
    const FindingCounts counts = count_findings(picture, masks, kMatchIou);
    of_records.push_back(counts.f1());
    all += counts;
  }
  return {{.name = name, .value = all.f1(), .of_records = std::move(of_records)},
          {.name = name + "/precision", .value = all.precision()},
          {.name = name + "/recall", .value = all.recall()}};
}

}  // namespace

MetricValues evaluate_box_ap(RecordsInMetric records) { return precision_values("box_ap", records, false); }
MetricValues evaluate_mask_ap(RecordsInMetric records) { return precision_values("mask_ap", records, true); }

MetricValues evaluate_box_f1(RecordsInMetric records) { return finding_values("box_f1", pictures_in(records), false); }
MetricValues evaluate_mask_f1(RecordsInMetric records) { return finding_values("mask_f1", pictures_in(records), true); }

MetricValues evaluate_mask_iou(RecordsInMetric records) {
  double sum = 0;
  std::size_t count = 0;
  MetricValue value{.name = "mask_iou"};
  for (const Record* record : records) {
    double of_record = 0;
    const std::vector<double> shared = matched_overlaps(record->objects, true);
    for (const double iou : shared) of_record += iou;
    sum += of_record, count += shared.size();
    value.of_records.push_back(shared.empty() ? NAN : of_record / static_cast<double>(shared.size()));
  }
  value.value = count == 0 ? kNoTruth : sum / static_cast<double>(count);
  return {std::move(value)};
}

MetricValues evaluate_absent(RecordsInMetric records) {
  double sum = 0, count = 0;
  MetricValue value{.name = "absent"};
  for (const Record* record : records) {
    const bool absent = record->objects.truth.empty();
    const double empty = record->objects.found.empty() ? 1 : 0;
    value.of_records.push_back(absent ? empty : NAN);
    if (absent) sum += empty, ++count;
  }
  value.value = count == 0 ? kNoTruth : sum / count;
  return {std::move(value)};
}

MetricValues evaluate_spotting(RecordsInMetric records) {
  std::vector<MarkedPicture> pictures = pictures_in(records);
  for (MarkedPicture& picture : pictures) {
    std::vector<MarkedObject> unreadable;
    for (MarkedObject& truth : picture.truth)
      if (truth.label == "###") {
        truth.crowd = true;
        unreadable.push_back(truth);
      }
    // Whatever is read where nobody can read is neither right nor wrong.
    std::erase_if(picture.found, [&](const MarkedObject& found) {
      return std::ranges::any_of(unreadable,
                                 [&](const MarkedObject& truth) { return overlap(found, truth, false) >= kMatchIou; });
    });
  }
  return finding_values("spotting", pictures, false);
}

MetricValues evaluate_count_error(RecordsInMetric records) {
  double sum = 0;
  std::vector<double> errors;
  for (const Record* record : records) {
    errors.push_back(count_error(record->objects));
    sum += errors.back();
  }
  return {{.name = "count_error",
           .value = sum / static_cast<double>(records.size()),
           .higher_is_better = false,
           .of_records = std::move(errors)}};
}

MetricValues evaluate_referring(RecordsInMetric records) {
  std::vector<ReferringMatch> matches;
  for (const Record* record : records) matches.push_back(match_reference(record->objects));
  const auto share = [&](const auto& holds) {
    return static_cast<double>(std::ranges::count_if(matches, holds)) / static_cast<double>(matches.size());
  };
  MetricValues values = {{.name = "referring"}};
  double both = 0, either = 0;
  for (const ReferringMatch& match : matches) {
    values[0].of_records.push_back(match.iou);
    values[0].value += match.iou / static_cast<double>(matches.size());
    both += match.both, either += match.either;
  }
  values.push_back({.name = "referring/ciou", .value = either > 0 ? both / either : 0});
  for (const int percent : {50, 60, 70, 80, 90})
    values.push_back({.name = "referring/p" + std::to_string(percent),
                      .value = share([&](const ReferringMatch& match) { return match.iou >= percent / 100.0; })});
  for (const int percent : {50, 75})
    values.push_back({.name = "referring/box" + std::to_string(percent),
                      .value = share([&](const ReferringMatch& match) { return match.box_iou >= percent / 100.0; })});
  values.push_back({.name = "referring/invalid",
                    .value = share([](const ReferringMatch& match) { return !match.valid; }),
                    .higher_is_better = false});
  return values;
}

MetricValues evaluate_calibration(RecordsInMetric records) {
  std::vector<ScoredAnswer> answers;
  for (const Record* record : records) {
    if (record->confidence && !record->answers.empty()) {
      answers.push_back({.score = *record->confidence, .right = exact_match(record->prediction, record->answers) > 0});
      continue;
    }
    std::ranges::copy(scored_boxes(record->objects), std::back_inserter(answers));
  }
  const std::vector<ReliabilityBin> curve = reliability_curve(answers);
  MetricValue value{.name = "calibration", .value = calibration_error(curve), .higher_is_better = false};
  for (const ReliabilityBin& bin : curve)
    value.parts.push_back({.name = std::to_string(bin.score), .value = bin.accuracy, .count = bin.count});
  return {std::move(value)};
}

}  // namespace paligemma
