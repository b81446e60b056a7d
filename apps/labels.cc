#include "labels.h"

#include "answers.h"
#include "text/prompt.h"

namespace paligemma {

int find_labels(Task task, const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = task;
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  options.request.labels = split_labels(words->front());
  return answer_pictures(options, std::span(*words).subspan(1), session);
}

}  // namespace paligemma
