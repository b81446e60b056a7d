#include "calibration_file.h"

#include "model/trained_numerics.h"

namespace paligemma {

CalibrationFile find_calibration_file(const ModelFiles& files, const std::filesystem::path& model,
                                      const ModelOptions& options) {
  // An adapter without the file has what its model says: all of that, once there is one.
  if (!options.adapters.empty())
    return {options.adapters.front() / kTrainedNumericsFile, to_json(trained_numerics(files.config))};
  if (files.form != Form::hugging_face || model.empty())
    fail(ErrorKind::usage, "cannot_calibrate", "cannot calibrate scores: ", files.where,
         ": expected a Hugging Face folder, which keeps them in its config.json, or an --adapter. "
         "Try: paligemma convert --to hf, and -m with the new folder");
  return {model / "config.json", Json::object()};
}

void keep_calibration(const CalibrationFile& file, const ScoreCalibration& calibration) {
  Json json = file.start;
  if (std::filesystem::exists(file.path))
    json = parse_json(FileBytes::map(file.path, ErrorKind::model).text(), file.path.string(), ErrorKind::model);
  put_score_calibration(calibration, json);
  const std::string text = indented(json);
  write_file(file.path, std::as_bytes(std::span(text)), true);
}

void score_uncalibrated(Pipeline& pipeline) {
  std::vector<BoxNumerics>& own = pipeline.box_numerics;
  if ((own.empty() ? box_numerics(pipeline.config) : own.front()).noise_boxes > 0)
    fail(ErrorKind::usage, "cannot_calibrate", "cannot calibrate scores: ", pipeline.info.name,
         ": expected a model that scores boxes by their places, got one with noise boxes, whose scores are "
         "probabilities of labels already");
  pipeline.config.score_calibration.reset();
  for (BoxNumerics& one : own) one.score_calibration.reset();
}

}  // namespace paligemma
