// seeds: io/*.npz
#include "io/npz.h"
#include "tensor.h"
#include "zip_mutator.h"

namespace {

// Two bytes of each array from its end to its beginning, as no other reader would ask, of a file in two pieces.
void read_backwards(std::span<const std::byte> bytes) {
  std::vector<paligemma::FileBytes> pieces;
  for (const auto piece : {bytes.first(bytes.size() / 2), bytes.subspan(bytes.size() / 2)})
    pieces.push_back(paligemma::FileBytes::borrow(piece));
  paligemma::NpzFile file(std::move(pieces), "input");
  std::byte two[2];
  for (const auto& [name, entry] : file.entries()) {
    if (entry.dtype) expect_size(*entry.dtype, entry.shape, entry.bytes);
    for (std::uint64_t i = 1; i <= 3 && entry.bytes >= 2; ++i) file.read(name, (entry.bytes - 2) / i, two);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    read_backwards(bytes);
  } catch (const paligemma::Error&) {
  }
  try {
    for (const auto& [name, array] : paligemma::read_npz(paligemma::FileBytes::borrow(bytes), "input", 1 << 24))
      expect_whole(array.tensor);
  } catch (const paligemma::Error&) {
  }
  return 0;
}
