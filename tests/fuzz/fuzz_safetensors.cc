// seeds: io/*.safetensors codec/tiny.safetensors
#include "io/safetensors.h"
#include "json_mutator.h"
#include "tensor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto file = paligemma::read_safetensors(paligemma::FileBytes::borrow(bytes), "input");
    for (const auto& [name, tensor] : file.tensors) expect_whole(tensor);
    json_mutator::take(data, size);
  } catch (const paligemma::Error&) {
  }
  return 0;
}
