// The picture settings of a checkpoint: preprocessor_config.json, or the image_processor of processor_config.json.
#pragma once

#include <cstdint>

#include "image/patches.h"
#include "image/resize.h"
#include "io/file.h"

namespace paligemma {

struct Preprocessor {
  Filter filter = Filter::bicubic;
  Normalization normalization{};  // of a published checkpoint: (u8 / 255 - 0.5) / 0.5
};

// Reads size, resample, rescale and normalisation; do_convert_rgb is ignored: pictures are RGB here. `side` is what the
// vision tower takes. Throws Error{model, "preprocessor"} for settings that the tower or this program cannot honour.
Preprocessor read_preprocessor(const Folder& folder, std::int64_t side);

}  // namespace paligemma
