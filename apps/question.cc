// paligemma question: the question that an answer belongs to.
#include "answers.h"

namespace paligemma {
namespace {

int run_question(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = Task::question;
  add_language(arguments, options.request);
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  options.request.text = words->front();
  return answer_pictures(options, std::span(*words).subspan(1), session);
}

}  // namespace

const Command kQuestion{.name = "question",
                        .words = "ANSWER IMAGE...",
                        .fewest_words = 2,
                        .summary = "Say which question about a picture has this answer (checkpoints named pt)",
                        .examples =
                            "  paligemma question beach cow.jpg\n"
                            "  paligemma question --lang ko '두 마리' photos/\n",
                        .run = run_question};

}  // namespace paligemma
