// What a LoRA adapter changes, without the model that it is for: for `paligemma inspect`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/json.h"
#include "model/adapter_files.h"
#include "pipeline.h"

namespace paligemma {

// Modules that differ in their layer alone.
struct InspectedModules {
  enum class Kind { low_rank, table, whole };  // table: of the embedding; whole: tensors in place of the model's

  std::string name;                  // canonical, * for the layer's number
  std::vector<std::int64_t> layers;  // none where the name has no *
  Kind kind = Kind::low_rank;
  std::string dtype;
  std::int64_t rank = 0;  // 0 of whole tensors
  double alpha = 0, factor = 0;
  std::uint64_t parameters = 0, bytes = 0;  // of all of them
};

struct AdapterInspection {
  std::string name;
  std::string base_model;  // as the adapter says it, or empty
  Json json;               // adapter_config.json
  AdapterConfig config;
  std::optional<ScoreCalibration> score_calibration;
  std::vector<InspectedModules> modules;  // by name
  std::uint64_t parameters = 0, bytes = 0;
  std::vector<Warning> warnings;  // not_finite
};

// Whether the folder holds an adapter and no model.
bool holds_adapter(const std::filesystem::path& path);

// Throws Error{model} as opening the adapter would, but for what its model decides.
AdapterInspection inspect_adapter(const Folder& folder, std::string name);

Json adapter_inspection_json(const AdapterInspection& inspection);

}  // namespace paligemma
