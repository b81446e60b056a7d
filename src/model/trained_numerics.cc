#include "model/trained_numerics.h"

#include "base/error.h"

namespace paligemma {

TrainedNumerics trained_numerics(const Config& config) {
  return {config.decoder.final_cap, config.decoder.attention_cap, config.loc_divisor, config.noise_boxes,
          config.score_calibration};
}

Json to_json(const TrainedNumerics& numerics) {
  const auto cap = [](float value) { return value > 0 ? Json(shortest_decimal(value)) : Json(); };
  Json json = {{"final_logit_softcapping", cap(numerics.final_cap)},
               {"attn_logit_softcapping", cap(numerics.attention_cap)},
               {"paligemma_loc_divisor", numerics.loc_divisor},
               {"paligemma_noise_boxes", numerics.noise_boxes}};
  put_score_calibration(numerics.score_calibration, json);
  return json;
}

std::optional<TrainedNumerics> read_trained_numerics(const Folder& folder) {
  if (!folder.has(kTrainedNumericsFile)) return {};
  const std::string where = folder.name + "/" + kTrainedNumericsFile;
  const Json json = parse_json(folder.open(kTrainedNumericsFile).text(), where, ErrorKind::model);
  const auto refuse = [&](const char* field, const char* expected) {
    fail(ErrorKind::model, "trained_numerics", "cannot use the adapter: ", where, ": ", field, ": expected ", expected);
  };
  if (!json.is_object()) refuse("the file", "an object");
  const auto cap = [&](const char* field) -> float {
    const auto found = json.find(field);
    if (found == json.end() || found->is_null()) return 0;
    if (!found->is_number() || !(found->get<double>() > 0 && found->get<double>() < 1e6))
      refuse(field, "a positive number or null");
    return found->get<float>();
  };
  TrainedNumerics numerics{.final_cap = cap("final_logit_softcapping"), .attention_cap = cap("attn_logit_softcapping")};
  if (const auto found = json.find("paligemma_loc_divisor"); found != json.end()) {
    if (!found->is_number_integer() || (*found != 1023 && *found != 1024))
      refuse("paligemma_loc_divisor", "1023 or 1024");
    numerics.loc_divisor = found->get<int>();
  }
  if (const auto found = json.find("paligemma_noise_boxes"); found != json.end()) {
    if (!found->is_number_integer() || *found < kNoiseBoxes.low || *found > kNoiseBoxes.high)
      refuse("paligemma_noise_boxes", "0 to 256");
    numerics.noise_boxes = found->get<int>();
  }
  numerics.score_calibration =
      read_score_calibration({json, {ErrorKind::model, "trained_numerics", "cannot use the adapter", where}});
  return numerics;
}

void apply(const TrainedNumerics& numerics, Config& config) {
  config.decoder.final_cap = numerics.final_cap;
  config.decoder.attention_cap = numerics.attention_cap;
  config.loc_divisor = numerics.loc_divisor;
  config.noise_boxes = numerics.noise_boxes;
  config.score_calibration = numerics.score_calibration;
}

}  // namespace paligemma
