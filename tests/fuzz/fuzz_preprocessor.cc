// seeds: models/*/preprocessor_config.json
#include "image/preprocessor.h"
#include "json_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  for (const std::string_view file : {"preprocessor_config.json", "processor_config.json"}) {
    const Folder folder{
        .name = "input",
        .has = [&](std::string_view name) { return name == file; },
        .open = [&](std::string_view) { return FileBytes::borrow(std::as_bytes(std::span(data, size))); }};
    try {
      const Preprocessor settings = read_preprocessor(folder, 56);
      for (const float std : settings.normalization.std)
        if (!(std > 0 || std < 0)) __builtin_trap();
      json_mutator::take(data, size);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::model) __builtin_trap();
    }
  }
  return 0;
}
