// report.html: a run as one page that needs nothing beside it, for a phone as for a screen, in the dark as in the
// light.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "train/run_log.h"

namespace paligemma {

// One validation example: what the model was asked, what it should answer, and what it did.
struct ReportSample {
  std::string prompt{}, target{};
  std::string before{}, after{};                             // what was written by the model before the run, and now
  std::vector<std::byte> before_picture{}, after_picture{};  // JPEGs (sample_picture()), each empty where there is none
};

struct RunReport {
  std::string title{};                                       // "runs/cows"
  std::string state{};                                       // "step 120 of 800, 12 min left"
  std::vector<std::pair<std::string, std::string>> facts{};  // of the recipe: what, and how much of it
  std::vector<ReportSample> samples{};
};

// All text is shown as it is, whatever markup it spells.
std::string report_html(const RunReport& report, const RunHistory& history);

// Replaces the file at once, so that a reader never sees half of it. Throws Error{failure, "write_failed"}.
void write_report(const std::filesystem::path& path, const RunReport& report, const RunHistory& history);

}  // namespace paligemma
