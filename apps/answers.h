// From questions to results: reads the pictures, asks the model, prints, draws.
#pragma once

#include <paligemma/paligemma.h>

#include <span>
#include <string>
#include <vector>

#include "commands.h"
#include "options.h"

namespace paligemma {

// One question; its pictures are read when its turn comes.
struct Job {
  std::vector<std::string> pictures{};
  Request request{};
  std::string where{};  // "requests.jsonl line 3", for messages; empty on the command line
};

// Answers the question in `options` about each picture that `words` name. Returns the exit code.
int answer_pictures(const AnswerOptions& options, std::span<const std::string> words, Session& session);

// Answers all jobs, up to `batch` at once, and prints them in their order. A picture that can't be read becomes a
// failure in its place. Returns the exit code; throws what concerns all of them, questions that can't be asked before
// any work.
int answer_jobs(const AnswerOptions& options, std::span<const Job> jobs, std::size_t batch, Session& session);

}  // namespace paligemma
