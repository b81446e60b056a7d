// The questions that tell how far one model is from another.
#pragma once

#include <paligemma/paligemma.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "answers.h"
#include "eval/compare.h"

namespace paligemma {

// What is detected and segmented where nothing else is said.
constexpr const char* kComparedLabels = "person ; cat ; dog ; car ; chair";

struct ComparisonJobs {
  std::vector<Job> jobs{};
  std::function<SharedPicture(const std::string& path)>
      read{};  // a picture of a job; may be called several times for one
};

// Every task about each of the pictures that `words` name, detect with `labels` together, segment with each.
ComparisonJobs standard_comparison(std::span<const std::string> words, const std::vector<std::string>& labels,
                                   const DecodeOptions& decode_options);

// What the demo asks about the pictures inside the program.
ComparisonJobs embedded_comparison();

// Asks both models and shows progress. Throws Error{usage} for jobs that can't be asked before any work. Ctrl-C ends it
// with Error{failure, "interrupted"}.
CompareReport compare_jobs(const ComparedModel& a, const ComparedModel& b, const ComparisonJobs& asked,
                           Session& session);

}  // namespace paligemma
