// Writes numpy's .npz: a zip of .npy arrays, stored, zip64 where sizes need it. The same arrays give the same bytes.
#pragma once

#include <filesystem>
#include <string>

#include "io/streamed_array.h"

namespace paligemma {

// `shown` names the file in messages. bf16 is written as two-byte void, as numpy writes it. Throws
// Error{failure, "write_failed"} and whatever a piece throws; no file is left then.
void write_npz(const std::filesystem::path& path, std::span<const StreamedArray> arrays, const std::string& shown);

}  // namespace paligemma
