#include "labels.h"

#include "answers.h"
#include "text/prompt.h"

namespace paligemma {

int find_labels(Task task, const Command& command, std::span<const std::string> arguments, Session& session) {
  CLI::App app;
  AnswerOptions options;
  options.request.task = task;
  add_answer_options(app, options, session);
  const auto words = parse_arguments(app, command, arguments, session.output);
  if (!words) return 0;
  options.request.labels = split_labels(words->front());
  return answer_pictures(options, std::span(*words).subspan(1), session);
}

}  // namespace paligemma
