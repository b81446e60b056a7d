// seeds: lora/*/adapter_config.json lora/projector/adapter_model.safetensors
// seeds: lora/biases/adapter_model.safetensors lora/dora-vision/adapter_model.safetensors
//
// The input is the configuration, or the tensors with the configuration of each of the golden ones.
#include <map>

#include "inspect_adapter.h"
#include "json_mutator.h"
#include "model/adapter.h"
#include "model/adapter_config.h"
#include "tensor.h"

namespace {

// The sizes of the golden model pg2.
paligemma::Config pg2() {
  paligemma::Config config;
  config.vision = {.width = 48, .layers = 3, .heads = 4, .mlp = 80, .patch = 14, .grid = 4};
  config.decoder = {.gemma2 = true, .width = 64, .layers = 4, .heads = 4, .kv_heads = 2, .head_size = 24, .mlp = 112};
  config.decoder.vocabulary = 2368;
  return config;
}

constexpr std::string_view kConfigs[] = {R"({"peft_type":"LORA","r":3,"modules_to_save":["multi_modal_projector"]})",
                                         R"({"peft_type":"LORA","r":2,"lora_bias":true})",
                                         R"({"peft_type":"LORA","r":2,"use_dora":true})"};
constexpr std::string_view kModules[] = {"model.language_model.layers.1.self_attn.q_proj",
                                         "vision_tower.vision_model.encoder.layers.0.mlp.fc1"};

// What an adapter holds is what its modules hold together.
void expect_counted(const paligemma::Folder& folder) {
  using namespace paligemma;
  try {
    const AdapterInspection inspection = inspect_adapter(folder, "input");
    std::uint64_t parameters = 0, bytes = 0;
    for (const InspectedModules& modules : inspection.modules) parameters += modules.parameters, bytes += modules.bytes;
    if (parameters != inspection.parameters || bytes != inspection.bytes) __builtin_trap();
    if (bytes < 2 * parameters) __builtin_trap();
  } catch (const Error&) {
  }
}

// Reads an adapter and each number of its products.
void read_numbers(std::string_view config, std::string_view tensors) {
  using namespace paligemma;
  const Folder folder{
      .name = "input",
      .has = [](std::string_view) { return true; },
      .open =
          [&](std::string_view name) {
            return FileBytes::borrow(std::as_bytes(std::span(name.ends_with(".json") ? config : tensors)));
          }};
  expect_counted(folder);
  try {
    const Adapter adapter = read_adapter(folder, "input", pg2());
    for (const auto& [name, change] : adapter.products) {
      expect_whole(change.a);
      expect_whole(change.b);
    }
    json_mutator::take(reinterpret_cast<const std::uint8_t*>(tensors.data()), tensors.size());
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    if (!text.starts_with('{')) {
      for (const std::string_view config : kConfigs) read_numbers(config, text);
      return 0;
    }
    const AdapterConfig config = read_adapter_config(parse_json(text, "input", ErrorKind::model), "input");
    for (const std::string_view name : kModules) {
      const std::string module(name);
      if (config.rank_of({&module, 1}) < 1) __builtin_trap();
      config.factor_of({&module, 1});
    }
    json_mutator::take(data, size);
  } catch (const Error&) {
  }
  return 0;
}
