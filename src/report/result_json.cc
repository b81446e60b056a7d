#include "report/result_json.h"

#include <cmath>
#include <optional>

namespace paligemma {
namespace {

constexpr std::string_view kSchema = "paligemma.result/1";

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json mask_json(const Mask& mask, int picture_width, int picture_height) {
  return {{"format", "coco_rle"},
          {"size", {picture_height, picture_width}},
          {"counts", coco_rle(mask, picture_width, picture_height)}};
}

std::string_view name(ScoreKind kind) {
  switch (kind) {
    case ScoreKind::loc_geomean: return "loc_geomean";
    case ScoreKind::label_prob: return "label_prob";
    case ScoreKind::loc_calibrated: return "loc_calibrated";
  }
  return "?";
}

Json object_json(const Object& object, int picture_width, int picture_height) {
  const bool scored = object.score && std::isfinite(*object.score);
  Json box = Json::array();
  for (const double side : object.box) box.push_back(json_number(side));
  return {{"label", object.label},
          {"label_index", or_null(object.label_index)},
          {"box", std::move(box)},
          {"loc", object.loc},
          {"score", scored ? Json(*object.score) : Json(nullptr)},
          {"score_kind", scored ? Json(name(object.score_kind)) : Json(nullptr)},
          {"mask", object.mask ? mask_json(*object.mask, picture_width, picture_height) : Json(nullptr)},
          {"seg", or_null(object.seg)}};
}

Json timings_json(const Timings& timings) {
  // To the microsecond: the clock's noise is no information.
  const auto ms = [](double value) { return json_number(std::round(value * 1000) / 1000); };
  return {{"load", ms(timings.load)},       {"image", ms(timings.image)},   {"vision", ms(timings.vision)},
          {"prefill", ms(timings.prefill)}, {"decode", ms(timings.decode)}, {"post", ms(timings.post)},
          {"total", ms(timings.total)}};
}

Json error_fields(const Error& error) { return {{"code", error.code()}, {"message", error.what()}}; }

}  // namespace

std::string_view name(Task task) {
  switch (task) {
    case Task::caption: return "caption";
    case Task::ocr: return "ocr";
    case Task::ask: return "ask";
    case Task::question: return "question";
    case Task::detect: return "detect";
    case Task::segment: return "segment";
    case Task::run: return "run";
  }
  return "?";
}

Json result_json(const Result& result, ResultFields fields) {
  Json objects = Json::array();
  for (const Object& object : result.objects) objects.push_back(object_json(object, result.width, result.height));
  Json warnings = Json::array();
  for (const Warning& warning : result.warnings) warnings.push_back({{"code", warning.code}, {"text", warning.text}});

  Json json = {{"schema", kSchema},
               {"task", name(result.task)},
               {"model", result.model},
               {"prompt", result.prompt},
               {"image", {{"path", result.path}, {"width", result.width}, {"height", result.height}}},
               {"text", result.text},
               {"answer", or_null(result.answer)},
               {"objects", std::move(objects)},
               {"warnings", std::move(warnings)},
               {"finish", result.finish == Finish::eos ? "eos" : "length"},
               {"usage", {{"prompt_tokens", result.prompt_tokens}, {"generated_tokens", result.generated_tokens}}}};
  if (fields.tokens) {
    Json& tokens = json["tokens"] = Json::array();
    for (const Token& token : result.tokens)
      tokens.push_back({{"id", token.id}, {"text", token.text}, {"logprob", json_number(token.logprob)}});
  }
  if (fields.timings) json["timings_ms"] = timings_json(result.timings);
  return json;
}

Json failed_picture_json(std::string_view path, const Error& error) {
  return {{"schema", kSchema}, {"image", {{"path", path}}}, {"error", error_fields(error)}};
}

Json error_json(const Error& error) { return {{"error", error_fields(error)}}; }

std::string to_json(const Result& result) {
  return dump_json(result_json(result, {.tokens = !result.tokens.empty(), .timings = true}));
}

}  // namespace paligemma
