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

// Answers each of `questions` about each picture, those about one picture one after the other.
int answer_pictures(const AnswerOptions& options, std::span<const std::string> words,
                    std::span<const Request> questions, Session& session);

// Answers all jobs, up to options.batch at once, and prints them in their order. A picture that can't be read becomes a
// failure in its place. Returns the exit code; throws what concerns all of them, questions that can't be asked before
// any work.
int answer_jobs(const AnswerOptions& options, std::span<const Job> jobs, Session& session);

}  // namespace paligemma
