// paligemma caption: what is in a picture.
#include <array>
#include <charconv>

#include "answers.h"
#include "base/error.h"

namespace paligemma {
namespace {

// "10,20,300.5,400". Where it lies in the picture is checked when that is known.
std::array<double, 4> read_box(const std::string& text) {
  std::array<double, 4> box{};
  const char *at = text.data(), *const end = at + text.size();
  for (std::size_t i = 0; i < box.size(); ++i) {
    const auto [stop, error] = std::from_chars(at, end, box[i]);
    const bool last = i + 1 == box.size();
    if (error != std::errc() || (last ? stop != end : stop == end || *stop != ',')) {
      fail(ErrorKind::usage, "bad_value", "--box: expected x1,y1,x2,y2 in pixels of the upright picture, got ", text);
    }
    at = stop + (last ? 0 : 1);
  }
  return box;
}

int run_caption(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = Task::caption;
  arguments.choice<CaptionLength>(
      "Answer", "--length", options.request.length,
      {{"short", CaptionLength::brief}, {"long", CaptionLength::detailed}, {"alt", CaptionLength::alt}},
      "How much to say; alt: as in the alternative text of a web page (short)");
  add_language(arguments, options.request);
  add_answer_options(arguments, options, session);
  std::vector<std::array<double, 4>> boxes;
  arguments.values(
      "Answer", "--box", "X1,Y1,X2,Y2", [&](const std::string& got) { boxes.push_back(read_box(got)); },
      "Say what is in this box, in pixels of the upright picture; repeatable");
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  if (boxes.empty()) return answer_pictures(options, *words, session);
  std::vector<Request> questions(boxes.size(), options.request);
  for (std::size_t i = 0; i < boxes.size(); ++i) questions[i].region = boxes[i];
  return answer_pictures(options, *words, questions, session);
}

}  // namespace

const Command kCaption{.name = "caption",
                       .words = "IMAGE...",
                       .fewest_words = 1,
                       .summary = "Say what is in a picture",
                       .examples =
                           "  paligemma caption beach.jpg\n"
                           "  paligemma caption --length long --lang ko photos/\n"
                           "  paligemma caption --box 40,20,300,260 beach.jpg\n",
                       .run = run_caption};

}  // namespace paligemma
