// seeds: lora/*/adapter_config.json lora/projector/adapter_model.safetensors
//
// The input is the configuration, with tensors of which a golden adapter is made, or it is the tensors.
#include <map>

#include "json_mutator.h"
#include "model/adapter.h"
#include "model/adapter_config.h"

namespace {

// The sizes of the golden model pg2.
paligemma::Config pg2() {
  paligemma::Config config;
  config.vision = {.width = 48, .layers = 3, .heads = 4, .mlp = 80, .patch = 14, .grid = 4};
  config.decoder = {.gemma2 = true, .width = 64, .layers = 4, .heads = 4, .kv_heads = 2, .head_size = 24, .mlp = 112};
  config.decoder.vocabulary = 2368;
  return config;
}

constexpr std::string_view kConfig = R"({"peft_type":"LORA","r":3,"modules_to_save":["multi_modal_projector"]})";
constexpr std::string_view kModules[] = {"model.language_model.layers.1.self_attn.q_proj",
                                         "vision_tower.vision_model.encoder.layers.0.mlp.fc1"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    if (text.starts_with('{')) {
      const AdapterConfig config = read_adapter_config(parse_json(text, "input", ErrorKind::model), "input");
      for (const std::string_view name : kModules) {
        const std::string module(name);
        if (config.rank_of({&module, 1}) < 1) __builtin_trap();
        config.factor_of({&module, 1});
      }
      return 0;
    }
    const Folder folder{
        .name = "input",
        .has = [](std::string_view) { return true; },
        .open =
            [&](std::string_view name) {
              return FileBytes::borrow(name.ends_with(".json") ? std::as_bytes(std::span(kConfig)) : bytes);
            }};
    const Adapter adapter = read_adapter(folder, "input", pg2());
    float sum = 0;  // every number that is handed out can be read
    for (const auto& [name, change] : adapter.products)
      for (const HostTensor* part : {&change.a, &change.b})
        for (std::int64_t i = 0; i < part->shape[0] * part->shape[1]; ++i)
          sum += part->element(static_cast<std::size_t>(i));
    if (sum == 1) return 0;
  } catch (const Error&) {
  }
  return 0;
}
