// seeds: models/*/config.json models/*/*.index.json
#include "io/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const paligemma::Json value = paligemma::parse_json(text, "input", paligemma::ErrorKind::model);
    const std::string printed = paligemma::dump_json(value);
    if (paligemma::dump_json(paligemma::parse_json(printed, "printed", paligemma::ErrorKind::model)) != printed)
      __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
