// Reads numpy's .npz: a zip of .npy arrays, stored or deflated. Little-endian f4, f2, and bf16 as numpy writes it
// (two-byte void, "|V2"); C order only.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "io/file.h"

namespace paligemma {

struct NpzArray {
  std::vector<std::byte> storage;
  HostTensor tensor;  // points into storage
};

// name (without ".npy") -> array. `where` names the file in messages. Throws Error{model, "npz"}. At most `max_bytes`
// of array data in all are unpacked; a file that claims more is refused before it is.
std::map<std::string, NpzArray, std::less<>> read_npz(const FileBytes& file, std::string_view where,
                                                      std::uint64_t max_bytes = std::uint64_t{1} << 30);

}  // namespace paligemma
