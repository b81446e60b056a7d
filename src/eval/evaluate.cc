#include "eval/evaluate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"
#include "eval/metric_functions.h"

namespace paligemma {
namespace {

constexpr std::array kMetrics = std::to_array<Metric>({
    {"exact", MetricNeed::answers, true, "answers equal to an accepted one", evaluate_exact},
    {"vqa", MetricNeed::answers, true, "VQAv2 accuracy: ten people's answers, cleaned up", evaluate_vqa},
    {"vqa_simple", MetricNeed::answers, true, "a third for each equal answer (OKVQA, TextVQA)", evaluate_simple_vqa},
    {"anls", MetricNeed::answers, true, "similarity in letters of either case (DocVQA)", evaluate_anls},
    {"anls_cased", MetricNeed::answers, true, "similarity in letters", evaluate_anls_cased},
    {"relaxed", MetricNeed::answers, true, "equal, numbers within 5 % (ChartQA)", evaluate_relaxed},
    {"tally", MetricNeed::answers, true, "equal, number words as digits (TallyQA)", evaluate_tally},
    {"count_mae", MetricNeed::answers, false, "mean error of the number that is answered", evaluate_count_mae},
    {"pope", MetricNeed::answers, true, "accuracy of yes and no (POPE)", evaluate_pope},
    {"rsvqa", MetricNeed::answers, true, "accuracy over types of questions (RSVQA)", evaluate_rsvqa},
    {"science", MetricNeed::answers, true, "accuracy of \"The answer is C.\" (ScienceQA)", evaluate_science},
    {"cer", MetricNeed::answers, false, "character error rate", evaluate_cer},
    {"wer", MetricNeed::answers, false, "word error rate", evaluate_wer},
    {"word_f1", MetricNeed::answers, true, "F1 of words, without articles and marks (SQuAD)", evaluate_word_f1},
    {"cider", MetricNeed::answers, true, "CIDEr-D of captions", evaluate_cider},
    {"bleu", MetricNeed::answers, true, "BLEU-4 of captions", evaluate_bleu},
    {"rouge_l", MetricNeed::answers, true, "ROUGE-L of captions", evaluate_rouge},
    {"box_ap", MetricNeed::objects, true, "COCO's average precision of boxes", evaluate_box_ap},
    {"mask_ap", MetricNeed::objects, true, "COCO's average precision of masks", evaluate_mask_ap},
    {"box_f1", MetricNeed::objects, true, "F1 of boxes at an IoU of .5", evaluate_box_f1},
    {"mask_f1", MetricNeed::objects, true, "F1 of masks at an IoU of .5", evaluate_mask_f1},
    {"mask_iou", MetricNeed::objects, true, "mean IoU of the masks of what is there", evaluate_mask_iou},
    {"absent", MetricNeed::objects, true, "empty answers where nothing that is asked for is there", evaluate_absent},
    {"spotting", MetricNeed::objects, true, "F1 of boxes with their text, letter by letter", evaluate_spotting},
    {"count_error", MetricNeed::objects, false, "objects too many or too few in a picture", evaluate_count_error},
    {"referring", MetricNeed::objects, true, "mean IoU of the one object meant (RefCOCO)", evaluate_referring},
    {"loss", MetricNeed::tokens, false, "mean negative log-probability of the answer's tokens", evaluate_loss},
    {"calibration", MetricNeed::confidence, false, "expected calibration error of scores", evaluate_calibration},
});

bool is_about_absent_objects(const Record& record) {
  return (record.task == RecordTask::detect || record.task == RecordTask::segment) && record.objects.truth.empty();
}

bool has_what_it_needs(const Record& record, MetricNeed need) {
  switch (need) {
    case MetricNeed::answers: return !record.answers.empty();
    case MetricNeed::objects: return is_about_objects(record);
    case MetricNeed::tokens: return !record.answer_tokens.empty();
    case MetricNeed::confidence:
      return (record.confidence && !record.answers.empty()) ||
             (is_about_objects(record) && std::ranges::any_of(record.objects.found, [](const MarkedObject& found) {
                return found.score.has_value();
              }));
  }
  return false;
}

std::string_view text_of(MetricNeed need) {
  switch (need) {
    case MetricNeed::answers: return "accepted answers";
    case MetricNeed::objects: return "objects";
    case MetricNeed::tokens: return "log-probabilities of the answer's tokens";
    case MetricNeed::confidence: return "confidences or scores";
  }
  return "?";
}

std::vector<std::string> metrics_of_task(RecordTask task, std::span<const Record> records) {
  switch (task) {
    case RecordTask::text: return {"exact", "cer"};
    case RecordTask::caption: return {"cider", "bleu", "rouge_l"};
    case RecordTask::answer: {
      const auto of_people =
          std::ranges::count_if(records, [](const Record& record) { return record.answers.size() >= 3; });
      if (2 * of_people > std::ssize(records)) return {"vqa", "exact"};
      return {"exact"};
    }
    case RecordTask::detect: return {"box_ap", "box_f1", "count_error"};
    case RecordTask::segment: return {"mask_ap", "mask_f1", "box_ap"};
    case RecordTask::refer: return {"referring"};
  }
  return {};
}

// Values of the records that were looked at -> of all.
void spread(MetricValue& value, std::span<const std::size_t> places, std::size_t count) {
  if (value.of_records.empty()) return;
  std::vector<double> all(count, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < places.size(); ++i) all[places[i]] = value.of_records[i];
  value.of_records = std::move(all);
}

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

const Metric& find_metric(std::string_view name) {
  const std::string_view own = name.substr(0, name.find('/'));
  const auto found = std::ranges::find(kMetrics, own, &Metric::name);
  if (found != kMetrics.end()) return *found;
  std::string known;
  for (const Metric& metric : kMetrics) known += join(known.empty() ? "" : ", ", metric.name);
  fail(ErrorKind::usage, "metric", "cannot evaluate: expected one of ", known, "; got \"", name, "\"");
}

std::vector<std::string> default_metrics(std::span<const Record> records) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    const MetricNeed need = find_metric(name).need;
    const bool needed =
        std::ranges::any_of(records, [&](const Record& record) { return has_what_it_needs(record, need); });
    if (needed && std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  std::vector<RecordTask> tasks;
  for (const Record& record : records)
    if (std::ranges::find(tasks, record.task) == tasks.end()) {
      tasks.push_back(record.task);
      for (const std::string& name : metrics_of_task(record.task, records)) add(name);
    }
  add("loss");
  add("calibration");
  return names;
}

std::vector<RecordGroup> group_metrics(std::span<const Record> records) {
  std::map<std::string, std::vector<Record>> by_name;
  for (const Record& record : records)
    for (std::size_t end = 0; end != record.group.npos;) {
      end = record.group.find('.', end + 1);
      by_name[record.group.substr(0, end)].push_back(record);
    }
  std::vector<RecordGroup> groups;
  for (auto& [name, own] : by_name) {
    std::vector<std::string> names = default_metrics(own);
    if (std::ranges::any_of(own, [](const Record& record) { return record.task == RecordTask::text; }))
      names.emplace_back("word_f1");
    const auto has_mask = [](const Record& record) {
      return std::ranges::any_of(record.objects.truth, [](const MarkedObject& one) { return one.mask.has_value(); });
    };
    if (std::ranges::any_of(own, has_mask)) names.emplace_back("mask_iou");
    if (std::ranges::any_of(own, is_about_absent_objects)) names.emplace_back("absent");
    groups.push_back({.name = name, .records = own.size(), .values = evaluate(own, names)});
  }
  return groups;
}

std::vector<MetricValue> evaluate(std::span<const Record> records, std::span<const std::string> names) {
  std::vector<MetricValue> values;
  std::vector<const Metric*> done;
  for (const std::string& name : names) {
    const Metric& metric = find_metric(name);
    if (std::ranges::find(done, &metric) != done.end()) continue;
    done.push_back(&metric);
    std::vector<const Record*> chosen;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < records.size(); ++i)
      if (has_what_it_needs(records[i], metric.need)) {
        chosen.push_back(&records[i]);
        places.push_back(i);
      }
    if (chosen.empty())
      fail(ErrorKind::usage, "metric", "cannot evaluate: ", metric.name, ": expected examples with ",
           text_of(metric.need), ", got none among ", records.size());
    for (MetricValue& value : metric.compute(chosen)) {
      spread(value, places, records.size());
      values.push_back(std::move(value));
    }
  }
  for (const std::string& name : names) value_of(values, name);
  return values;
}

const MetricValue& value_of(std::span<const MetricValue> values, std::string_view name) {
  const auto found = std::ranges::find(values, name, &MetricValue::name);
  if (found != values.end()) return *found;
  std::string known;
  for (const MetricValue& value : values) known += join(known.empty() ? "" : ", ", value.name);
  fail(ErrorKind::usage, "metric", "cannot evaluate: expected one of ", known, "; got \"", name, "\"");
}

std::vector<std::size_t> worst_records(const MetricValue& value, std::size_t most) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < value.of_records.size(); ++i)
    if (!std::isnan(value.of_records[i])) places.push_back(i);
  std::ranges::stable_sort(places, [&](std::size_t a, std::size_t b) {
    return value.higher_is_better ? value.of_records[a] < value.of_records[b]
                                  : value.of_records[a] > value.of_records[b];
  });
  places.resize(std::min(places.size(), most));
  return places;
}

}  // namespace paligemma
