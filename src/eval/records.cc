#include "eval/records.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/error.h"
#include "eval/answers.h"
#include "eval/average_precision.h"
#include "eval/calibration.h"
#include "eval/caption_scores.h"
#include "eval/object_match.h"
#include "eval/ptb_tokenizer.h"
#include "eval/referring.h"
#include "eval/text_distance.h"
#include "io/json_fields.h"

namespace paligemma {
namespace {

constexpr double kIou = 0.5;  // from which an object counts as found
constexpr std::array kMetrics = {
    Metric{"AP", true, "COCO's average precision of boxes, mean over IoU .5 to .95"},
    Metric{"AP50", true, "at IoU .5"},
    Metric{"AP75", true, "at IoU .75"},
    Metric{"AR100", true, "recall of 100 boxes a picture"},
    Metric{"mask_AP", true, "AP of masks"},
    Metric{"mask_AP50", true, "at IoU .5"},
    Metric{"F1", true, "of boxes at IoU .5, with the right label"},
    Metric{"precision", true, "the same"},
    Metric{"recall", true, "the same"},
    Metric{"mask_F1", true, "F1 of masks"},
    Metric{"count_error", false, "by how much numbers of objects differ, a picture"},
    Metric{"ECE", false, "expected calibration error of the boxes' scores"},
    Metric{"mIoU", true, "RefCOCO: mean overlap of masks, else of boxes"},
    Metric{"cIoU", true, "cumulative overlap"},
    Metric{"P@.5", true, "share of overlaps above .5"},
    Metric{"P@.7", true, "above .7"},
    Metric{"P@.9", true, "above .9"},
    Metric{"CIDEr", true, "CIDEr-D of captions; 1.41 is what papers write as 141"},
    Metric{"BLEU4", true, "BLEU-4 of captions"},
    Metric{"ROUGE_L", true, "ROUGE-L of captions"},
    Metric{"exact", true, "share of answers equal to an accepted one"},
    Metric{"vqa", true, "VQAv2's accuracy"},
    Metric{"relaxed", true, "ChartQA: numbers may be 5 % off"},
    Metric{"ANLS", true, "DocVQA: how near the nearest answer is"},
    Metric{"CER", false, "characters wrong, of all"},
    Metric{"WER", false, "words wrong, of all"},
};

template <class F>
std::vector<const Record*> those(std::span<const Record> records, const F& wanted) {
  std::vector<const Record*> out;
  for (const Record& record : records)
    if (wanted(record)) out.push_back(&record);
  return out;
}

bool has_objects(const Record& record) {
  return record.task == RecordTask::detect || record.task == RecordTask::segment;
}
bool has_text(const Record& record) {
  return record.task == RecordTask::text || record.task == RecordTask::answer || record.task == RecordTask::caption;
}

template <class F>
double mean_of(const std::vector<const Record*>& records, const F& value) {
  double sum = 0;
  for (const Record* record : records) sum += value(*record);
  return sum / static_cast<double>(records.size());
}

double best_match(const Record& record, double (*match)(std::string_view, std::string_view)) {
  double best = 0;
  for (const std::string& answer : record.answers) best = std::max(best, match(record.prediction, answer));
  return best;
}

// Against the accepted answer that is nearest.
template <class F>
double error_rate(const std::vector<const Record*>& records, const F& errors) {
  ErrorRate all;
  for (const Record* record : records) {
    std::optional<ErrorRate> least;
    for (const std::string& answer : record->answers) {
      const ErrorRate one = errors(answer, record->prediction);
      if (!least || one.value() < least->value()) least = one;
    }
    if (least) all += *least;
  }
  return all.value();
}

void add_detection(MetricValues& out, const std::vector<const Record*>& records) {
  std::vector<MarkedPicture> pictures;
  FindingCounts boxes, masks;
  double counts = 0;
  std::vector<ScoredAnswer> scored;
  bool masked = false;
  for (const Record* record : records) {
    const MarkedPicture& picture = record->objects;
    pictures.push_back(picture);
    boxes += count_findings(picture, false, kIou);
    masks += count_findings(picture, true, kIou);
    counts += count_error(picture);
    for (const MarkedObject& object : picture.truth) masked = masked || object.mask;
    const std::vector<Finding> judged = judge_found(picture, false, kIou);
    for (std::size_t i = 0; i < judged.size(); ++i)
      if (picture.found[i].score && judged[i] != Finding::neither)
        scored.push_back({*picture.found[i].score, judged[i] == Finding::right});
  }
  const DetectionScores of_boxes = average_precision(pictures, false);
  const auto add = [&](const char* name, double value) {
    if (value != kNoTruth) out.emplace_back(name, value);
  };
  add("AP", of_boxes.ap), add("AP50", of_boxes.ap50), add("AP75", of_boxes.ap75), add("AR100", of_boxes.ar100);
  if (masked) {
    const DetectionScores of_masks = average_precision(pictures, true);
    add("mask_AP", of_masks.ap), add("mask_AP50", of_masks.ap50);
    out.emplace_back("mask_F1", masks.f1());
  }
  out.emplace_back("F1", boxes.f1());
  out.emplace_back("precision", boxes.precision());
  out.emplace_back("recall", boxes.recall());
  out.emplace_back("count_error", counts / static_cast<double>(records.size()));
  if (!scored.empty()) out.emplace_back("ECE", calibration_error(reliability_curve(scored)));
}

void add_referring(MetricValues& out, const std::vector<const Record*>& records) {
  double iou = 0, both = 0, either = 0;
  std::array<double, 3> above{};
  for (const Record* record : records) {
    const ReferringMatch match = match_reference(record->objects);
    iou += match.iou, both += match.both, either += match.either;
    for (int i = 0; i < 3; ++i) above[std::size_t(i)] += match.iou > 0.5 + 0.2 * i ? 1 : 0;
  }
  const auto count = static_cast<double>(records.size());
  out.emplace_back("mIoU", iou / count);
  if (either > 0) out.emplace_back("cIoU", both / either);
  out.emplace_back("P@.5", above[0] / count);
  out.emplace_back("P@.7", above[1] / count);
  out.emplace_back("P@.9", above[2] / count);
}

void add_texts(MetricValues& out, const std::vector<const Record*>& records) {
  std::vector<const Record*> several;  // answers of several people
  for (const Record* record : records)
    if (record->answers.size() > 1) several.push_back(record);
  out.emplace_back("exact", mean_of(records, [](const Record& r) { return exact_match(r.prediction, r.answers); }));
  if (!several.empty())
    out.emplace_back("vqa", mean_of(several, [](const Record& r) { return vqa_accuracy(r.prediction, r.answers); }));
  out.emplace_back("relaxed", mean_of(records, [](const Record& r) { return best_match(r, relaxed_match); }));
  out.emplace_back("ANLS", mean_of(records, [](const Record& r) { return anls(r.prediction, r.answers, true); }));
  out.emplace_back("CER", error_rate(records, character_errors));
  out.emplace_back("WER", error_rate(records, word_errors));
}

void add_captions(MetricValues& out, const std::vector<const Record*>& records) {
  std::vector<std::string> texts;
  for (const Record* record : records) {
    texts.push_back(record->prediction);
    texts.insert(texts.end(), record->answers.begin(), record->answers.end());
  }
  std::vector<std::vector<std::string>> words = caption_words(texts);
  auto word = words.begin();
  std::vector<CaptionWords> captions;
  for (const Record* record : records) {
    CaptionWords one{.prediction = std::move(*word++)};
    for (std::size_t i = 0; i < record->answers.size(); ++i) one.references.push_back(std::move(*word++));
    captions.push_back(std::move(one));
  }
  const std::vector<double> values = cider(captions);
  double sum = 0, rouge = 0;
  for (const double value : values) sum += value;
  for (const CaptionWords& caption : captions) rouge += rouge_l(caption);
  const auto count = static_cast<double>(records.size());
  out.emplace_back("CIDEr", sum / count);
  out.emplace_back("BLEU4", bleu(captions).all[3]);
  out.emplace_back("ROUGE_L", rouge / count);
}

// The objects of a line of predictions.
std::vector<MarkedObject> read_objects(const Json& list, const JsonFields& fields) {
  std::vector<MarkedObject> objects;
  if (!list.is_array()) fields.refuse("objects", "a list");
  for (const Json& item : list) {
    if (!item.is_object() || !item.contains("box") || !item["box"].is_array() || item["box"].size() != 4)
      fields.refuse("objects", "objects with a box of four numbers", item);
    MarkedObject object;
    object.label = fields.text("label", item.value("label", Json("")));
    for (std::size_t i = 0; i < 4; ++i) object.box[i] = fields.number("box", item["box"][i], {-1e9, 1e9});
    if (item.contains("score") && !item["score"].is_null())
      object.score = fields.number("score", item["score"], {-1e9, 1e9});
    if (item.contains("mask") && !item["mask"].is_null()) {
      const Json& mask = item["mask"];
      const bool whole = mask.is_object() && mask.contains("size") && mask["size"].is_array() &&
                         mask["size"].size() == 2 && mask.contains("counts") && mask["counts"].is_string();
      auto counts = whole ? read_run_lengths(mask["counts"].get_ref<const std::string&>()) : std::nullopt;
      if (!counts) fields.refuse("mask", "COCO's compressed run lengths", mask);
      object.mask = RunLengths{.width = static_cast<int>(fields.whole("size", mask["size"][1], {0, 1 << 20})),
                               .height = static_cast<int>(fields.whole("size", mask["size"][0], {0, 1 << 20})),
                               .counts = std::move(*counts)};
      if (!fits(*object.mask)) fields.refuse("mask", "as many pixels as its size says", mask);
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

const Metric& find_metric(std::string_view name) {
  const auto found = std::ranges::find(kMetrics, name, &Metric::name);
  if (found != kMetrics.end()) return *found;
  std::string names;
  for (const Metric& metric : kMetrics) names.append(names.empty() ? "" : ", ").append(metric.name);
  fail(ErrorKind::usage, "metric", "no such metric: ", name, ": expected one of ", names);
}

std::vector<std::string> metrics_of(RecordTask task) {
  switch (task) {
    case RecordTask::detect: return {"AP50", "AP", "F1"};
    case RecordTask::segment: return {"mask_AP50", "AP50", "mask_F1", "F1"};
    case RecordTask::refer: return {"mIoU"};
    case RecordTask::answer: return {"vqa", "exact"};
    case RecordTask::caption: return {"CIDEr", "ANLS"};
    case RecordTask::text: return {"exact", "ANLS"};
  }
  return {};
}

MetricValues evaluate(std::span<const Record> records, std::span<const std::string> names) {
  for (const std::string& name : names) find_metric(name);
  MetricValues all;
  if (const auto with_objects = those(records, has_objects); !with_objects.empty()) add_detection(all, with_objects);
  const auto captions =
      those(records, [](const Record& r) { return r.task == RecordTask::caption && !r.answers.empty(); });
  if (!captions.empty()) add_captions(all, captions);
  const auto refers = those(records, [](const Record& r) { return r.task == RecordTask::refer; });
  if (!refers.empty()) add_referring(all, refers);
  if (const auto texts = those(records, has_text); !texts.empty()) add_texts(all, texts);
  if (names.empty()) return all;
  MetricValues out;
  for (const std::string& name : names)
    for (const auto& [known, value] : all)
      if (known == name) out.emplace_back(known, value);
  return out;
}

double quality(const Record& record) {
  switch (record.task) {
    case RecordTask::detect: return count_findings(record.objects, false, kIou).f1();
    case RecordTask::segment: return count_findings(record.objects, true, kIou).f1();
    case RecordTask::refer: return match_reference(record.objects).iou;
    default: break;
  }
  return std::max(exact_match(record.prediction, record.answers),
                  0.999 * anls(record.prediction, record.answers, true));
}

std::vector<Prediction> read_predictions(std::string_view text, std::string_view where) {
  std::vector<Prediction> out;
  std::set<std::string> seen;
  for (std::size_t at = 0, number = 1; at < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = join(where, ": line ", number);
    const Json json = parse_json(line, place, ErrorKind::usage);
    if (!json.is_object())
      fail(ErrorKind::usage, "predictions", "bad predictions: ", place, ": expected an object with id and prediction");
    const JsonFields fields(json, {ErrorKind::usage, "predictions", "bad predictions", place});
    Prediction one;
    const Json* id = fields.find("id");
    if (!id || !(id->is_string() || id->is_number_integer())) fields.refuse("id", "text or a whole number");
    one.id = id->is_string() ? id->get<std::string>() : std::to_string(id->get<std::int64_t>());
    if (const Json* prediction = fields.find("prediction")) one.text = fields.text("prediction", *prediction);
    if (const Json* objects = fields.find("objects")) one.objects = read_objects(*objects, fields);
    if (!seen.insert(one.id).second) fields.refuse("id", "each id once");
    out.push_back(std::move(one));
  }
  return out;
}

std::string prediction_line(const Prediction& prediction) {
  Json json = {{"id", prediction.id}, {"prediction", prediction.text}};
  if (prediction.objects) {
    Json& list = json["objects"] = Json::array();
    for (const MarkedObject& object : *prediction.objects) {
      Json item = {{"label", object.label}, {"box", object.box}};
      item["score"] = object.score ? Json(*object.score) : Json();
      if (object.mask)
        item["mask"] = {{"size", {object.mask->height, object.mask->width}},
                        {"counts", run_lengths_text(*object.mask)}};
      list.push_back(std::move(item));
    }
  }
  return dump_json(json) + "\n";
}

}  // namespace paligemma
