// What a run keeps on disk, in its folder OUT:
//
//   step-00000120/   an adapter as PEFT has it, or with --mode full a Hugging Face folder; and in it
//     paligemma.json             soft caps, divisor of boxes and noise boxes that it was trained with
//     training_state.json        where the run was
//     training_state.safetensors values and moments in f32
//   last, best       links to two of these
//
// A checkpoint is written under another name and renamed when it is complete, so that one that is there is whole.
#pragma once

#include "train/trainee.h"

namespace paligemma {

// Where a run is, after `step` updates.
struct RunPosition {
  std::int64_t step = 0;
  std::uint64_t epoch = 0, place = 0;     // of the example that comes next
  std::optional<double> best{};           // value of the metric
  double best_loss = 0;                   // the validation loss then
  std::int64_t best_step = 0, worse = 0;  // evaluations since the best one
  std::int64_t skipped = 0, skipped_in_row = 0;
  std::uint64_t data = 0;  // the data set's fingerprint
};

inline constexpr const char *kLastLink = "last", *kBestLink = "best";

// Saves the trainee as it is and points `last` to it, and `best` if it is. Of older checkpoints `keep` stay, and the
// best. Throws Error{failure, "write_failed"}; then all that was there before still is.
void save_checkpoint(const std::filesystem::path& out, Trainee& trainee, const RunPosition& position, bool is_best,
                     std::int64_t keep, std::string_view save_type);

// The checkpoint that `last` points to. Throws Error{usage, "no_checkpoint"}.
std::filesystem::path last_checkpoint(const std::filesystem::path& out);

RunPosition read_position(const std::filesystem::path& checkpoint);
// Values and moments become those of the checkpoint. Throws Error{model, "training_state"} where they are another
// model's.
void load_state(const std::filesystem::path& checkpoint, const RunPosition& position, Trainee& trainee);
// The values of those parameters alone whose names begin so, where a folder has the state of a training that had them.
void load_values(const std::filesystem::path& folder, std::string_view names, Trainee& trainee);

}  // namespace paligemma
