#include "model/adapter_writer.h"

#include <algorithm>
#include <set>

#include "model/adapter_files.h"
#include "model/network.h"

namespace paligemma {
namespace {

std::string_view module_of(std::string_view tensor) { return tensor.substr(0, tensor.rfind('.')); }

StreamedArray whole(std::string name, Shape shape, const HostTensor& tensor) {
  return {.name = std::move(name),
          .dtype = tensor.dtype,
          .shape = std::move(shape),
          .pieces = 1,
          .piece = [bytes = tensor.bytes](std::size_t) { return bytes; }};
}

}  // namespace

Json adapter_config_json(const Adapter& adapter, const AdapterSettings& settings) {
  std::set<std::string> targets, saved;  // without "model." in front, which PEFT does not ask for
  const auto short_name = [](std::string_view tensor) {
    return current_module_name(module_of(tensor)).substr(std::string_view("model.").size());
  };
  bool dora = false, bias = false;
  for (const auto& [name, change] : adapter.products) {
    targets.insert(short_name(name));
    dora = dora || change.magnitude;
    bias = bias || change.bias;
  }
  for (const auto& [name, tensor] : adapter.replaced) saved.insert(short_name(name));
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", settings.base},
          {"inference_mode", true},
          {"r", settings.rank},
          {"lora_alpha", settings.alpha},
          {"lora_dropout", settings.dropout},
          {"use_rslora", settings.rslora},
          {"use_dora", dora},
          {"lora_bias", bias},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"rank_pattern", Json::object()},
          {"alpha_pattern", Json::object()},
          {"modules_to_save", saved.empty() ? Json() : Json(saved)},
          {"target_modules", targets}};
}

std::vector<StreamedArray> adapter_arrays(const Adapter& adapter, const Config& config) {
  std::vector<StreamedArray> out;
  Network network(config);
  visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form) {
    const std::string key = join("base_model.model.", current_module_name(module_of(name)));
    if (const auto found = adapter.products.find(name); found != adapter.products.end()) {
      const LowRankTensors& change = found->second;
      // Of a convolution: A has its window, B is one of 1 x 1, and the magnitude has an axis for each of its own.
      Shape a = shape, b{shape[0], change.rank()}, magnitude{shape[0]};
      a[0] = change.rank();
      b.resize(shape.size(), 1);
      if (shape.size() > 2) magnitude = {1, shape[0], 1, 1};
      out.push_back(whole(key + ".lora_A.weight", a, change.a));
      out.push_back(whole(key + ".lora_B.weight", b, change.b));
      if (change.bias) out.push_back(whole(key + ".lora_B.bias", {shape[0]}, *change.bias));
      if (change.magnitude) out.push_back(whole(key + ".lora_magnitude_vector", magnitude, *change.magnitude));
    }
    if (const auto found = adapter.replaced.find(name); found != adapter.replaced.end())
      out.push_back(whole(key + name.substr(name.rfind('.')), shape, found->second));
  });
  return out;
}

}  // namespace paligemma
