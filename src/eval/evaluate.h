// All metrics by name, over records.
//
//     for (const MetricValue& value : evaluate(records, default_metrics(records))) show(value.name, value.value);
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/records.h"

namespace paligemma {

// What a record has to have for a metric to look at it.
enum class MetricNeed {
  answers,     // accepted answers
  objects,     // is about objects: there may be none of them
  tokens,      // log-probabilities of the accepted answer
  confidence,  // of the answer, with accepted answers, or scores of found objects
};

// A part of the records, by class or by type of answer.
struct MetricPart {
  std::string name{};
  double value = 0;
  std::size_t count = 0;  // records or objects
};

struct MetricValue {
  std::string name{};  // the metric's, or "metric/part of it"
  double value = 0;
  bool higher_is_better = true;
  std::vector<MetricPart> parts{};
  std::vector<double> of_records{};  // one for each record that was evaluated, NaN where it has none; or empty
};

// Computes a metric of records that have what it needs. The first value is the metric's own and has its name; names of
// others begin with it and a slash.
using MetricFunction = std::vector<MetricValue> (*)(std::span<const Record* const> records);

struct Metric {
  std::string_view name;
  MetricNeed need;
  bool higher_is_better;
  std::string_view what;  // in words, for people
  MetricFunction compute;
};

std::span<const Metric> metrics();

// The metric that a name is of: "box_ap" of "box_ap/50". Throws Error{usage, "metric"} for one that is not there, with
// those that are.
const Metric& find_metric(std::string_view name);

// The metrics of the records' tasks, the one that the best model is chosen by first:
//
//     text     exact, cer                       detect   box_ap, box_f1, count_error
//     caption  cider, bleu, rouge_l             segment  mask_ap, mask_f1, box_ap
//     answer   vqa where there are three answers or more to most questions, exact     refer    referring
//
// and loss and calibration where records have what these need.
std::vector<std::string> default_metrics(std::span<const Record> records);

// Each metric once, in the order of the names. A name may be that of a part ("box_ap/50"); all of its metric comes.
// Throws Error{usage, "metric"} for an unknown name and for a metric that no record has what it needs for.
std::vector<MetricValue> evaluate(std::span<const Record> records, std::span<const std::string> names);

// The metrics of the records of each group, of "answer" for those of "answer.en" too, by name: the default ones, and
// word_f1, mask_iou and absent where there is something to measure.
struct RecordGroup {
  std::string name{};
  std::size_t records = 0;
  std::vector<MetricValue> values{};
};
std::vector<RecordGroup> group_metrics(std::span<const Record> records);

// The value of a name. Throws Error{usage, "metric"} where it is not among them.
const MetricValue& value_of(std::span<const MetricValue> values, std::string_view name);

// Places of the records that a value is worst for, the worst first; those without a value of their own are left out.
std::vector<std::size_t> worst_records(const MetricValue& value, std::size_t most);

}  // namespace paligemma
