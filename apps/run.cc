// paligemma run: prompts as they are.
#include "answers.h"
#include "base/error.h"
#include "inputs.h"
#include "requests.h"

namespace paligemma {
namespace {

int answer_requests(const AnswerOptions& options, const std::string& path, bool alone, Session& session) {
  if (!alone)
    fail(ErrorKind::usage, "usage", "run --requests ", path, ": expected no PROMPT, IMAGE or --together beside it");
  return answer_jobs(options, read_requests(path, options.request), session);
}

int run_run(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = Task::run;
  bool together = false;
  std::string requests;
  arguments.flag("Answer", "--together", together, "One prompt about all the pictures at once");
  arguments.text("Answer", "--requests", "FILE", requests,
                 "Answer each line of FILE: {\"image\" or \"images\", \"prompt\", \"suffix\", \"max_tokens\", "
                 "\"adapter\": name or null, ...}");
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  if (!requests.empty()) return answer_requests(options, requests, words->empty() && !together, session);
  if (words->size() < 2) too_few_words(command);
  options.request.text = words->front();
  const std::span<const std::string> images = std::span(*words).subspan(1);
  if (!together) return answer_pictures(options, images, session);
  const Job job{.pictures = expand_inputs(images), .request = options.request};
  return answer_jobs(options, std::span(&job, 1), session);
}

}  // namespace

const Command kRun{.name = "run",
                   .words = "PROMPT IMAGE... | --requests FILE",
                   .fewest_words = 0,
                   .summary = "Give the model a prompt as it is",
                   .examples =
                       "  paligemma run 'caption en' beach.jpg\n"
                       "  paligemma run 'what changed?' --together before.png after.png\n"
                       "  paligemma run --requests questions.jsonl --jsonl > answers.jsonl\n",
                   .run = run_run};

}  // namespace paligemma
