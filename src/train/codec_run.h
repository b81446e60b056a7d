// A run that trains a mask codec: from masks to the file, with what it writes on the way.
//
//     OUT                         the codec, an .npz with the names of vae-oid.npz, when all is done
//     OUT.run/run.json            what the run was begun with
//     OUT.run/log.jsonl           train/run_log.h
//     OUT.run/state.safetensors   where it is: from here it goes on after it was ended, to the same bits
#pragma once

#include <filesystem>
#include <functional>

#include "train/codec_quality.h"
#include "train/mask_set.h"

namespace paligemma {

struct CodecRunOptions {
  std::int64_t steps = 4500;
  int batch = 32;
  double lr = 1.5e-2;
  CodecSizes sizes{};
  int groups = 0;  // of masks (train/mask_groups.h), for many masks of few things; 0: none
  std::uint64_t seed = 0;
  std::filesystem::path init{};  // a codec to go on from, whose sizes count
  bool resume = false;
  int threads = 0;  // 0: one for each core
};

struct CodecRunResult {
  std::int64_t steps = 0;  // that are done
  bool finished = false;   // else `stop` ended it, and it can be resumed
  std::int64_t skipped = 0;
  CodecQuality quality{};  // not measured where nothing was held out
};

struct CodecRunProgress {
  std::int64_t step = 0, steps = 0;
  double loss = 0, masks_per_s = 0;
  std::optional<CodecQuality> latest{};
};

// Throws Error{input, "no_masks"} where there is nothing to train on, Error{usage, "resume"} for a run that was begun
// with other settings or masks, Error{failure, "diverged"}, Error{failure, "write_failed"}, and of `init` and the state
// Error{model}.
CodecRunResult train_codec(const MaskSet& masks, const CodecRunOptions& options, const std::filesystem::path& output,
                           const std::function<void(const CodecRunProgress&)>& progress,
                           const std::function<bool()>& stop);

// Of a file, which must have an encoder, by the masks that are held out. Throws Error{input, "no_masks"} where none is,
// and Error{model}.
CodecQuality measure_codec(const std::filesystem::path& file, const MaskSet& masks, int threads);

// The folder OUT.run.
std::filesystem::path codec_run_folder(const std::filesystem::path& output);

}  // namespace paligemma
