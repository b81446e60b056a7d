// The built program as a child process.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace paligemma::testing {

struct Ended {
  int code = 0;  // 128 + n when signal n killed it
  std::string out{}, err{};
};

struct Setting {
  std::string folder{};  // to run in
  std::string in{};      // what stdin says
  // Where stdout goes instead of Ended::out: a file; "-": closed; "|": a pipe that nobody reads.
  std::string out{};
  std::vector<std::string> environment{};  // beside PATH and what the loader needs; $PALIGEMMA_MODEL is not set
  // Called once, when something has come on stdout.
  std::function<void(pid_t)> at_first_output{};
};

// Runs `paligemma words...` to its end.
Ended run_program(const std::vector<std::string>& words, const Setting& setting = {});

}  // namespace paligemma::testing
