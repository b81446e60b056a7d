// paligemma caption: what is in a picture.
#include "answers.h"

namespace paligemma {
namespace {

int run(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = Task::caption;
  arguments.choice<CaptionLength>(
      "Answer", "--length", options.request.length,
      {{"short", CaptionLength::brief}, {"long", CaptionLength::detailed}, {"alt", CaptionLength::alt}},
      "How much to say; alt: as in the alternative text of a web page (short)");
  add_language(arguments, options.request);
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  return words ? answer_pictures(options, *words, session) : 0;
}

}  // namespace

const Command kCaption{.name = "caption",
                       .words = "IMAGE...",
                       .fewest_words = 1,
                       .summary = "Say what is in a picture",
                       .examples =
                           "  paligemma caption beach.jpg\n"
                           "  paligemma caption --length long --lang ko photos/\n",
                       .run = run};

}  // namespace paligemma
