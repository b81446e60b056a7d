// seeds: tiny/*.safetensors
//
// Any bytes as the weights of a Hugging Face folder: opened, and each tensor read as loading does.
#include "json_mutator.h"
#include "model.h"
#include "model/model_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  constexpr std::string_view kConfig =
      R"({"text_config": {"num_attention_heads": 1}, "vision_config": {"num_attention_heads": 1}})";
  const Folder folder{.name = "input",
                      .has = [](std::string_view name) { return name == "config.json" || name == "model.safetensors"; },
                      .open =
                          [&](std::string_view name) {
                            return FileBytes::borrow(std::as_bytes(
                                name == "config.json" ? std::span(kConfig.data(), kConfig.size())
                                                      : std::span(reinterpret_cast<const char*>(data), size)));
                          }};
  try {
    const ModelFiles files = open_model_files(folder);
    read_tensors(files.source, files.config);
    json_mutator::take(data, size);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::model) __builtin_trap();
  }
  return 0;
}
