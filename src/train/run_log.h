// The log of a run, log.jsonl: a line a step
//
//     {"step":12,"loss":1.25,"grad_norm":0.8,"lr":2e-05,"examples_per_s":3.5,"skipped":false}
//
// and, behind the line of its step, one an evaluation
//
//     {"step":100,"metrics":{"mAP50":0.41,"loss":0.97},"best":true}
//
// A number that is not finite is null. Steps count from 1; an evaluation of step 0 is of the model before the run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/append_file.h"

namespace paligemma {

struct LoggedStep {
  std::int64_t step = 0;
  double loss = 0;       // before the update
  double grad_norm = 0;  // before clipping
  double lr = 0;
  double examples_per_s = 0;
  bool skipped = false;           // loss or gradients were not finite, and nothing was changed
  std::optional<double> dense{};  // loss of what image tokens are asked, where they are
};

struct LoggedEvaluation {
  std::int64_t step = 0;
  std::vector<std::pair<std::string, double>> metrics{};  // the first one decides which step is best
  bool best = false;                                      // up to now
};

struct RunHistory {
  std::vector<LoggedStep> steps{};
  std::vector<LoggedEvaluation> evaluations{};
};

// One line, with its newline.
std::string log_line(const LoggedStep& step);
std::string log_line(const LoggedEvaluation& evaluation);

// The lines of a log up to `last_step`, and how many bytes they take. What follows is not looked at: a line of a later
// step, or one without an end. `where` names the log in messages. Throws Error{model, "run_log"} for anything else
// that is no line of a log, and for steps that go backwards.
std::pair<RunHistory, std::size_t> read_run_log(std::string_view text, std::string_view where, std::int64_t last_step);

class RunLog {
 public:
  // In place of a log that is there. Throws Error{failure, "write_failed"}, as everything that writes.
  static RunLog create(const std::filesystem::path& path);
  // Goes on behind `step`: later lines are cut off, and a torn last one. The file need not be there. Throws as
  // read_run_log() too.
  static RunLog resume(const std::filesystem::path& path, std::int64_t step);

  void add(const LoggedStep& step);
  void add(const LoggedEvaluation& evaluation);

  const RunHistory& history() const { return history_; }

 private:
  RunLog(const std::filesystem::path& path, RunHistory history, std::uint64_t bytes);

  RunHistory history_;
  AppendFile file_;
};

}  // namespace paligemma
