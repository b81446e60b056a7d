// seeds: io/*.npz
#include "io/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    for (const auto& [name, array] : paligemma::read_npz(paligemma::FileBytes::borrow(bytes), "input", 1 << 24))
      if (array.tensor.bytes.size() > array.storage.size()) __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
