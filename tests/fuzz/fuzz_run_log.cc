// seeds: train/log.jsonl
//
// Whatever is read is the same when it is written and read again, and what is cut off is never in the middle of a line.
#include <string>

#include "json_mutator.h"
#include "train/run_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace paligemma;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    for (const std::int64_t last : {std::int64_t{2}, std::int64_t{1} << 53}) {
      const auto [history, bytes] = read_run_log(text, "input", last);
      if (bytes > size || (bytes > 0 && text[bytes - 1] != '\n')) __builtin_trap();
      std::string again;
      for (const LoggedStep& step : history.steps) {
        if (step.step < 0 || step.step > last) __builtin_trap();
        again += log_line(step);
      }
      if (read_run_log(again, "again", last).first.steps.size() != history.steps.size()) __builtin_trap();
      for (const LoggedEvaluation& evaluation : history.evaluations) {
        const auto [read, length] = read_run_log(log_line(evaluation), "again", last);
        if (length == 0 || read.evaluations.at(0).metrics.size() != evaluation.metrics.size()) __builtin_trap();
      }
    }
    json_mutator::take(data, size);
  } catch (const Error& error) {
    if (error.code() != "run_log") __builtin_trap();
  }
  return 0;
}
