// seeds: tiny/*.h5 io/*.h5
#include <map>

#include "io/hdf5.h"
#include "tensor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto file = paligemma::read_hdf5(paligemma::FileBytes::borrow(bytes), "input");
    std::map<const std::byte*, std::size_t> places;
    for (const auto& [path, tensor] : file.datasets) {
      expect_whole(tensor);
      if (!tensor.bytes.empty() && !places.emplace(tensor.bytes.data(), tensor.bytes.size()).second) __builtin_trap();
    }
    const std::byte* free = bytes.data();  // every byte that is handed out is one of the file, and of one dataset
    for (const auto& [begin, length] : places) {
      if (begin < free) __builtin_trap();
      free = begin + length;
    }
    if (free > bytes.data() + size) __builtin_trap();
  } catch (const paligemma::Error&) {
  }
  return 0;
}
