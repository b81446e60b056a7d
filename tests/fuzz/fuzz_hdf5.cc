// seeds: io/*.h5 keras/pg2_f32_sharded/model_00001.weights.h5
#include "io/hdf5.h"
#include "tensor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto file = paligemma::read_hdf5(paligemma::FileBytes::borrow(bytes), "input");
    std::size_t total = 0;  // every byte that is handed out is one of the file, and of one dataset
    for (const auto& [path, tensor] : file.datasets) {
      expect_whole(tensor);
      total += tensor.bytes.size();
    }
    if (total > size) __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
