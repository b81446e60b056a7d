// Where the calibration of a model's scores is kept.
#pragma once

#include <filesystem>

#include "pipeline.h"

namespace paligemma {

// config.json of a Hugging Face folder, or paligemma.json of the adapter that answers.
struct CalibrationFile {
  std::filesystem::path path;
  Json start;  // what the file holds where there is none yet
};

// `model` is the path that `files` were opened from, empty for the embedded model. Throws Error{usage,
// "cannot_calibrate"} for a model without such a file: the embedded one, an npz, a KerasHub preset, a .gguf.
CalibrationFile find_calibration_file(const ModelFiles& files, const std::filesystem::path& model,
                                      const ModelOptions& options);

// Puts the two numbers in place of those before, and keeps everything else in the file. Throws Error{model} for a file
// that cannot be read and Error{failure, "write_failed"}.
void keep_calibration(const CalibrationFile& file, const ScoreCalibration& calibration);

// From now on scores of boxes are loc_geomean. Throws Error{usage, "cannot_calibrate"} for a model or adapter that was
// trained with noise boxes: its scores are probabilities of labels.
void score_uncalibrated(Pipeline& pipeline);

}  // namespace paligemma
