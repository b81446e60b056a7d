// An adapter as PEFT writes it: what adapter_config.json and adapter_model.safetensors hold. Modules have the names
// that transformers gives them since 4.52.
#pragma once

#include "io/streamed_array.h"
#include "model/adapter.h"

namespace paligemma {

// What the tensors do not say.
struct AdapterSettings {
  std::int64_t rank = 8;
  double alpha = 8;
  bool rslora = false;
  double dropout = 0;
  std::string base{};  // of the model that it is for: what base_model_name_or_path says
};

// Of one whose products all have this rank and alpha.
Json adapter_config_json(const Adapter& adapter, const AdapterSettings& settings);

// The tensors in f32, borrowed from the adapter.
std::vector<StreamedArray> adapter_arrays(const Adapter& adapter, const Config& config);

}  // namespace paligemma
