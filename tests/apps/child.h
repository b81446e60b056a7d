// The built program as a child process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "io/json.h"

namespace paligemma::test {

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
  // What the child does just before it becomes the program: give up rights, set limits.
  std::function<void()> in_child{};
  // Called once, when something has come on stdout.
  std::function<void(pid_t)> at_first_output{};
  // Called about every millisecond while the program runs.
  std::function<void(pid_t)> meanwhile{};
  // stdout is closed when this much has been read.
  std::size_t read_at_most = std::numeric_limits<std::size_t>::max();
};

// Runs `paligemma words...` to its end.
Ended run_program(const std::vector<std::string>& words, const Setting& setting = {});

// What stdout held: one JSON text, or lines.
Json json_of(const Ended& ended);
std::vector<std::string> lines_of(const std::string& text);

// For Setting::in_child: whom root was becomes a user who may do nothing but what is allowed to everybody.
void give_up_root();

// For Setting::in_child: no file that it writes may grow beyond this, as on a full disk.
std::function<void()> with_files_up_to(std::size_t bytes);

}  // namespace paligemma::test
