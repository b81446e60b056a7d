#include "eval/predictions.h"

#include <algorithm>
#include <map>

#include "io/json_fields.h"

namespace paligemma {
namespace {

constexpr Limits<std::int64_t> kSides{1, 1 << 16}, kRuns{0, UINT32_MAX};
constexpr Limits<double> kShare{0, 1};
constexpr std::size_t kMostObjects = 10000;          // of one example
constexpr std::size_t kLongestPrediction = 1 << 20;  // bytes

JsonOrigin origin_of(const std::string& where) {
  return {ErrorKind::usage, "predictions", "cannot read the prediction", where};
}

// The rectangle around the pixels of a mask that has any.
std::array<double, 4> box_around(const RunLengths& runs) {
  const std::int64_t height = runs.height;
  std::int64_t left = runs.width, right = 0, top = height, bottom = 0, at = 0;
  for (std::size_t i = 0; i < runs.counts.size(); at += runs.counts[i++]) {
    if (i % 2 == 0 || runs.counts[i] == 0) continue;
    const std::int64_t last = at + runs.counts[i] - 1;
    left = std::min(left, at / height);
    right = std::max(right, last / height + 1);
    const bool one_column = at / height == last / height;
    top = std::min(top, one_column ? at % height : 0);
    bottom = std::max(bottom, one_column ? last % height + 1 : height);
  }
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right), static_cast<double>(bottom)};
}

RunLengths read_mask(const JsonFields& fields) {
  const Json *size = fields.find("size"), *counts = fields.find("counts");
  if (!size || !size->is_array() || size->size() != 2) fields.refuse("size", "[height, width]");
  RunLengths runs{.width = static_cast<int>(fields.whole("size", (*size)[1], kSides)),
                  .height = static_cast<int>(fields.whole("size", (*size)[0], kSides))};
  if (counts && counts->is_string()) {
    auto read = read_run_lengths(counts->get_ref<const std::string&>());
    if (!read) fields.refuse("counts", "COCO's run lengths");
    runs.counts = std::move(*read);
  } else if (counts && counts->is_array()) {
    for (const Json& count : *counts)
      runs.counts.push_back(static_cast<std::uint32_t>(fields.whole("counts", count, kRuns)));
  } else {
    fields.refuse("counts", "run lengths, as text or as numbers");
  }
  if (!fits(runs)) fields.refuse("counts", join("runs of ", runs.width, " x ", runs.height, " pixels"));
  return runs;
}

std::array<double, 4> read_box(const JsonFields& fields) {
  const Json* box = fields.find("box");
  if (!box || !box->is_array() || box->size() != 4) fields.refuse("box", "[x1, y1, x2, y2]");
  std::array<double, 4> sides;
  for (std::size_t i = 0; i < 4; ++i) sides[i] = fields.number("box", (*box)[i], kAnyFloat);
  if (sides[2] < sides[0] || sides[3] < sides[1]) fields.refuse("box", "x1 <= x2 and y1 <= y2");
  return sides;
}

MarkedObject read_object(const JsonFields& fields) {
  MarkedObject object;
  if (const Json* label = fields.find("label")) object.label = fields.text("label", *label);
  object.score = fields.number("score", kAnyFloat);
  if (fields.find("mask")) object.mask = read_mask(fields.section("mask"));
  if (object.mask && !fields.find("box")) {
    if (pixels_inside(*object.mask) > 0) object.box = box_around(*object.mask);
  } else {
    object.box = read_box(fields);
  }
  return object;
}

std::string read_id(const JsonFields& fields) {
  const Json* id = fields.find("id");
  if (!id) fields.refuse("id", "text or a whole number");
  if (id->is_number_integer()) return dump_json(*id);
  return fields.text("id", *id);
}

Prediction read_prediction(const Json& json, const std::string& where) {
  const JsonFields fields(json, origin_of(where));
  Prediction prediction{.id = read_id(fields)};
  if (const Json* text = fields.find("prediction")) {
    prediction.text = fields.text("prediction", *text);
    if (prediction.text->size() > kLongestPrediction)
      fields.refuse("prediction", join("a text of at most ", kLongestPrediction, " bytes"));
  }
  if (const Json* objects = fields.find("objects")) {
    if (!objects->is_array() || objects->size() > kMostObjects)
      fields.refuse("objects", join("a list of at most ", kMostObjects));
    prediction.objects.emplace();
    for (const Json& object : *objects)
      prediction.objects->push_back(
          read_object(JsonFields(object, origin_of(where), join("objects[", prediction.objects->size(), "]"))));
  }
  if (!prediction.text && !prediction.objects) fields.refuse("prediction", "text, or objects beside it");
  prediction.confidence = fields.number("confidence", kShare);
  return prediction;
}

// Calls use(number, line) for each line that is not empty.
template <class Use>
void for_lines(std::string_view text, const Use& use) {
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != line.npos) use(number, line);
  }
}

void check_masks(const Record& record, std::span<const MarkedObject> objects) {
  for (const MarkedObject& object : objects)
    if (object.mask && record.width > 0 && (object.mask->width != record.width || object.mask->height != record.height))
      fail(ErrorKind::usage, "predictions", "cannot use the prediction: ", record.id, ": expected masks of ",
           record.width, " x ", record.height, " pixels, got ", object.mask->width, " x ", object.mask->height);
}

void take_prediction(Record& record, Prediction prediction, int divisor, const MaskOf& mask_of) {
  record.prediction = std::move(prediction.text).value_or("");
  record.confidence = prediction.confidence;
  record.objects.found.clear();
  if (prediction.objects) {
    check_masks(record, *prediction.objects);
    record.objects.found = std::move(*prediction.objects);
  } else if (is_about_objects(record) && record.prediction.find("<loc") != std::string::npos) {
    if (record.width < 1 || record.height < 1)
      fail(ErrorKind::usage, "predictions", "cannot use the prediction: ", record.id,
           ": expected the size of the picture that its boxes lie in, got none. Try: objects in pixels");
    record.objects.found = objects_of(record.prediction, {record.width, record.height, divisor}, mask_of);
  }
}

Json object_json(const MarkedObject& object) {
  Json json = {{"label", object.label}, {"box", object.box}};
  if (object.score) json["score"] = *object.score;
  if (object.mask)
    json["mask"] = {{"size", {object.mask->height, object.mask->width}}, {"counts", run_lengths_text(*object.mask)}};
  return json;
}

}  // namespace

std::vector<Prediction> read_predictions(std::string_view text, std::string_view where) {
  std::vector<Prediction> predictions;
  std::map<std::string, int, std::less<>> line_of;
  for_lines(text, [&](int number, std::string_view line) {
    const std::string place = join(where, " line ", number);
    Prediction prediction = read_prediction(parse_json(line, place, ErrorKind::usage), place);
    prediction.line = number;
    const auto [other, is_new] = line_of.try_emplace(prediction.id, number);
    if (!is_new)
      fail(ErrorKind::usage, "predictions", "cannot read the prediction: ", place,
           ": expected an id of its own, got \"", prediction.id, "\", which line ", other->second, " has");
    predictions.push_back(std::move(prediction));
  });
  if (predictions.empty())
    fail(ErrorKind::usage, "predictions", "cannot read the predictions: ", where, ": expected one a line, got none");
  return predictions;
}

std::vector<MarkedObject> objects_of(std::string_view text, const Frame& frame, const MaskOf& mask_of) {
  std::vector<MarkedObject> objects;
  for (Object& object : parse_objects(text, frame, {}).objects) {
    MarkedObject& marked = objects.emplace_back(MarkedObject{.label = object.label, .box = object.box});
    if (!object.seg || !mask_of) continue;
    if (const auto mask = mask_of(object, frame); mask && mask->width > 0 && mask->height > 0)
      marked.mask = run_lengths(*mask, frame.width, frame.height);
  }
  return objects;
}

MatchedPredictions take_predictions(std::span<Record> records, std::vector<Prediction> predictions, int divisor,
                                    const MaskOf& mask_of) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < records.size(); ++i) places[records[i].id] = i;
  MatchedPredictions matched;
  std::vector<bool> answered(records.size());
  for (Prediction& prediction : predictions) {
    const auto place = places.find(prediction.id);
    if (place == places.end()) {
      matched.unknown.push_back(std::move(prediction.id));
      continue;
    }
    answered[place->second] = true;
    take_prediction(records[place->second], std::move(prediction), divisor, mask_of);
  }
  for (std::size_t i = 0; i < records.size(); ++i)
    if (!answered[i]) {
      matched.unanswered.push_back(i);
      take_prediction(records[i], {}, divisor, mask_of);
    }
  return matched;
}

std::string prediction_line(const Record& record) {
  Json json = {{"id", record.id}, {"prefix", record.prefix}, {"prediction", record.prediction}};
  if (!record.answers.empty()) json["answers"] = record.answers;
  if (is_about_objects(record) || !record.objects.found.empty()) {
    Json& objects = json["objects"] = Json::array();
    for (const MarkedObject& object : record.objects.found) objects.push_back(object_json(object));
  }
  if (record.confidence) json["confidence"] = *record.confidence;
  return dump_json(json);
}

}  // namespace paligemma
