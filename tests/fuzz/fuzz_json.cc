// seeds: models/*/config.json models/*/*.index.json
#include <set>

#include "io/json.h"

namespace {

// No deeper than whoever walks it can take, and each key of an object once.
void expect_sound(const paligemma::Json& value, int levels) {
  if (!value.is_structured()) return;
  if (levels == 0) __builtin_trap();
  std::set<std::string_view> keys;
  for (const auto& [key, member] : value.items()) {
    if (value.is_object() && !keys.insert(key).second) __builtin_trap();
    expect_sound(member, levels - 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const paligemma::Json value = paligemma::parse_json(text, "input", paligemma::ErrorKind::model);
    expect_sound(value, 128);
    const std::string printed = paligemma::dump_json(value);
    if (paligemma::dump_json(paligemma::parse_json(printed, "printed", paligemma::ErrorKind::model)) != printed)
      __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
