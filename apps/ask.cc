// paligemma ask: a question about a picture.
#include <filesystem>

#include "answers.h"
#include "base/error.h"

namespace paligemma {
namespace {

int run_ask(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = Task::ask;
  bool each = false;
  arguments.flag("Answer", "--each", each, "Each QUESTION is one of its own, not a word of one");
  add_language(arguments, options.request);
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  const std::span<const std::string> question = std::span(*words).subspan(1);
  if (each) {
    std::vector<Request> questions(question.size(), options.request);
    for (std::size_t i = 0; i < question.size(); ++i) questions[i].text = question[i];
    return answer_pictures(options, std::span(*words).first(1), questions, session);
  }
  for (const std::string& word : question) options.request.text += (&word == question.data() ? "" : " ") + word;
  std::error_code ignored;
  if (question.size() > 1 && std::filesystem::exists(question.front(), ignored)) {
    session.console.warning(join(question.front(),
                                 " is taken as a word of the question, not as a picture. Try: a folder, "
                                 "@list.txt or a pattern in quotes for several pictures"));
  }
  return answer_pictures(options, std::span(*words).first(1), session);
}

}  // namespace

const Command kAsk{.name = "ask",
                   .words = "IMAGE QUESTION...",
                   .fewest_words = 2,
                   .summary = "Answer a question about a picture",
                   .examples =
                       "  paligemma ask beach.jpg where is the cow?\n"
                       "  paligemma ask --each beach.jpg 'where is the cow?' 'is there a lion?'\n"
                       "  paligemma ask --lang ko 'photos/*.jpg' '여기는 어디인가요?'\n",
                   .run = run_ask};

}  // namespace paligemma
