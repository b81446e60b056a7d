// seeds: keras/*/model.weights.json
#include "base/error.h"
#include "json_mutator.h"
#include "model/keras_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& [file, groups] : paligemma::read_keras_index(text, "input"))
      if (file.find('/') != file.npos || groups.empty()) __builtin_trap();
    json_mutator::take(data, size);
  } catch (const paligemma::Error&) {
  }
  return 0;
}
