#include "labels.h"

#include "answers.h"
#include "base/error.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

void add_format(Arguments& arguments, AnnotationFormat& format) {
  arguments.choice<AnnotationFormat>("Output", "--format", format,
                                     {{"coco", AnnotationFormat::coco},
                                      {"yolo", AnnotationFormat::yolo},
                                      {"voc", AnnotationFormat::voc},
                                      {"labelme", AnnotationFormat::labelme},
                                      {"csv", AnnotationFormat::csv},
                                      {"jsonl", AnnotationFormat::jsonl}},
                                     "For other tools: written to -o in place of drawings, or to stdout; yolo, voc and "
                                     "labelme: -o names a folder");
}

void settle_format(Task task, AnswerOptions& options, Session& session) {
  if (options.format == AnnotationFormat::none) return;
  if (session.output.format != Format::text)
    fail(ErrorKind::usage, "usage", "--format: expected no --json or --jsonl beside it");
  if (options.format == AnnotationFormat::jsonl && options.output.empty()) {
    session.output.format = Format::jsonl;
    options.format = AnnotationFormat::none;
  }
  if (options.format == AnnotationFormat::voc && task == Task::segment)
    session.console.warning("--format voc: Pascal VOC has no place for masks: boxes are all that is written");
}

}  // namespace

int find_labels(Task task, const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  options.request.task = task;
  bool each = false;
  arguments.flag("Answer", "--each", each, "Ask for each label by itself");
  add_format(arguments, options.format);
  add_answer_options(arguments, options, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  settle_format(task, options, session);
  const std::span<const std::string> pictures = std::span(*words).subspan(1);
  options.request.labels = split_labels(words->front());
  if (!each) return answer_pictures(options, pictures, session);
  if (options.format != AnnotationFormat::none)
    fail(ErrorKind::usage, "usage", "--each: expected no --format beside it, which has one result for each picture");
  std::vector<Request> questions(options.request.labels.size(), options.request);
  for (std::size_t i = 0; i < questions.size(); ++i) questions[i].labels = {options.request.labels[i]};
  return answer_pictures(options, pictures, questions, session);
}

}  // namespace paligemma
