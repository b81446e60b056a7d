// paligemma.json beside an adapter: what the model computed with and learnt while it was trained, where that is not
// what the base model's own configuration says.
#pragma once

#include <optional>

#include "io/file.h"
#include "io/json.h"
#include "model/config.h"

namespace paligemma {

inline constexpr const char* kTrainedNumericsFile = "paligemma.json";

struct TrainedNumerics {
  float final_cap = 0, attention_cap = 0;  // 0: none
  int loc_divisor = 1023;
  int noise_boxes = 0;  // Config's, as is the next one
  std::optional<ScoreCalibration> score_calibration{};
  bool operator==(const TrainedNumerics&) const = default;
};

TrainedNumerics trained_numerics(const Config& config);
Json to_json(const TrainedNumerics& numerics);

// Nothing where the folder has no such file. Throws Error{model, "trained_numerics"}.
std::optional<TrainedNumerics> read_trained_numerics(const Folder& folder);

void apply(const TrainedNumerics& numerics, Config& config);

}  // namespace paligemma
