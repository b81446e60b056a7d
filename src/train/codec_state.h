// Where a codec's run is: all numbers of its trainer and the steps that are done, in one safetensors file that is
// replaced as a whole.
#pragma once

#include <filesystem>

#include "io/file.h"
#include "train/codec_trainer.h"

namespace paligemma {

// Throws Error{failure, "write_failed"}.
void write_codec_state(CodecTrainer& trainer, std::int64_t steps, const std::filesystem::path& path);

// Into a trainer of the same sizes. Gives the steps. Throws Error{model}.
std::int64_t read_codec_state(CodecTrainer& trainer, FileBytes file, std::string_view where);

}  // namespace paligemma
