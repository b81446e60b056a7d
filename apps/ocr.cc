// paligemma ocr: the text in a picture.
#include "answers.h"

namespace paligemma {
namespace {

int run_ocr(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = Task::ocr;
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  return words ? answer_pictures(options, *words, session) : 0;
}

}  // namespace

const Command kOcr{.name = "ocr",
                   .words = "IMAGE...",
                   .fewest_words = 1,
                   .summary = "Read the text in a picture",
                   .examples =
                       "  paligemma ocr receipt.png\n"
                       "  paligemma ocr --jsonl 'scans/*.jpg' > texts.jsonl\n",
                   .run = run_ocr};

}  // namespace paligemma
