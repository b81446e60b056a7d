// What the model makes of some held-out examples, now and before the run: the samples of its report.
#pragma once

#include "train/run_report.h"
#include "train/validation.h"

namespace paligemma {

// Samples from before a run are kept in its folder, so that the report of a run that is gone on with still has them.
class ReportSamples {
 public:
  // Those that are kept in `folder`, a run's; none where that cannot be read.
  explicit ReportSamples(std::filesystem::path folder);

  // Of the model as it was, which keeps them. Throws Error{failure, "write_failed"}.
  void begin(std::span<const ValidationAnswer> answers, std::size_t most);
  // Of the model as it is, about the same examples.
  void update(std::span<const ValidationAnswer> answers);

  const std::vector<ReportSample>& list() const { return samples_; }

 private:
  std::filesystem::path folder_;
  std::vector<ReportSample> samples_;
};

}  // namespace paligemma
