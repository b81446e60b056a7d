// Answered examples and what they are worth: the one entry to all metrics, for a model's answers as for a file of
// predictions from anybody.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eval/marked_object.h"

namespace paligemma {

enum class RecordTask { text, caption, answer, detect, segment, refer };

struct Record {
  std::string id{};
  RecordTask task = RecordTask::text;
  std::string prefix{};                // what was asked
  std::string prediction{};            // what was answered
  std::vector<std::string> answers{};  // accepted ones
  std::string answer_type{};           // of VQAv2
  MarkedPicture objects{};             // of detect, segment and refer
};

// A metric by its name, which is what logs and --metric say.
struct Metric {
  std::string_view name;
  bool higher_is_better = true;
  std::string_view help;
};
std::span<const Metric> metrics();
// Throws Error{usage, "metric"} with the nearest names.
const Metric& find_metric(std::string_view name);

// What records of a task are judged by, the first one first of all.
std::vector<std::string> metrics_of(RecordTask task);

using MetricValues = std::vector<std::pair<std::string, double>>;

// Those of `names` that the records have what they need for; all metrics of the records' tasks where it is empty. A
// task's metrics are of its records alone. kNoTruth of average precision is left out.
MetricValues evaluate(std::span<const Record> records, std::span<const std::string> names = {});

// How good one answer is, in 0..1: for choosing the worst.
double quality(const Record& record);

// The lines of predictions.jsonl:
//
//     {"id":"12","prediction":"a red car"}
//     {"id":"13","prediction":"<loc0001>...","objects":[{"label":"car","box":[x1,y1,x2,y2],"score":0.9,
//      "mask":{"size":[h,w],"counts":"..."}}]}
//
// "objects" is what counts of detect, segment and refer where it stands; else the prediction's tokens are read. Boxes
// are pixels, masks COCO's run lengths.
struct Prediction {
  std::string id{};
  std::string text{};
  std::optional<std::vector<MarkedObject>> objects{};
};
// Throws Error{usage, "predictions"} with the line for what is none, and for an id that stands twice.
std::vector<Prediction> read_predictions(std::string_view text, std::string_view where);
std::string prediction_line(const Prediction& prediction);

}  // namespace paligemma
