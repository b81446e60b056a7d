// paligemma compare: how far one model, or one precision of it, is from another.
#include "base/error.h"
#include "comparison.h"
#include "eval/compare_report.h"
#include "inputs.h"
#include "options.h"
#include "requests.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr std::size_t kWorstShown = 5;

struct CompareSettings {
  AnswerOptions both;  // but for the precision
  ModelOptions a, b;
  std::vector<std::string> images, prompts;
  std::string labels = kComparedLabels;
  std::string requests;
  std::optional<QualityGate> gate;
};

void add_compare_options(Arguments& arguments, CompareSettings& settings, Session& session) {
  const std::string group = "Questions";
  const auto append = [](std::vector<std::string>& target) {
    return [&target](const std::string& got) { target.push_back(got); };
  };
  arguments.values(group, "--images", "IMAGE", append(settings.images),
                   "A file, folder, pattern or @list.txt. Repeatable (the embedded model: the pictures of demo)");
  arguments.values(group, "--prompt", "PROMPT", append(settings.prompts),
                   "Ask this, as run does. Repeatable (every task once)");
  arguments.text(group, "--labels", "LABELS", settings.labels, "What to detect and segment (" + settings.labels + ")");
  arguments.text(group, "--requests", "FILE", settings.requests, "Ask each line of FILE, as run --requests does");
  arguments.number(group, "--max-tokens", 1, 1 << 20, settings.both.request.max_tokens, "Longest answer (256)");
  arguments.choice<std::optional<QualityGate>>(group, "--gate", settings.gate, {{"q8", kGateQ8}, {"q4", kGateQ4}},
                                               "Exit with 1 unless B is as near to A as such weights have to be");
  add_precision_options(arguments, settings.a, "-a");
  add_precision_options(arguments, settings.b, "-b");
  add_threads_option(arguments, settings.both.model_options);
  add_form_options(arguments, settings.both.model_options);
  add_picture_options(arguments, settings.both);
  add_session_options(arguments, session);
}

ComparedModel compared_model(const std::string& word, const ModelOptions& both, const ModelOptions& side) {
  ComparedModel model{.path = model_path(word), .options = both};
  model.options.weights = side.weights;
  model.options.compute = side.compute;
  return model;
}

ComparisonJobs comparison_jobs(const CompareSettings& settings, bool embedded) {
  const DecodeOptions& decode = settings.both.decode_options;
  if (!settings.requests.empty()) {
    if (!settings.images.empty() || !settings.prompts.empty())
      fail(ErrorKind::usage, "usage", "compare --requests ", settings.requests,
           ": expected no --images and no --prompt beside it");
    ComparisonJobs asked = standard_comparison({}, {}, decode);
    asked.jobs = read_requests(settings.requests, settings.both.request);
    return asked;
  }
  if (settings.images.empty() && !embedded)
    fail(ErrorKind::usage, "usage", "compare: expected --images or --requests, got none. Try: --images FOLDER");
  ComparisonJobs asked = settings.images.empty()
                             ? embedded_comparison()
                             : standard_comparison(settings.images, split_labels(settings.labels), decode);
  if (!settings.prompts.empty()) {
    std::vector<std::string> pictures;
    for (const Job& job : asked.jobs)
      if (pictures.empty() || pictures.back() != job.pictures.front()) pictures.push_back(job.pictures.front());
    asked.jobs.clear();
    for (const std::string& picture : pictures)
      for (const std::string& prompt : settings.prompts)
        asked.jobs.push_back({.pictures = {picture}, .request = {.task = Task::run, .text = prompt}});
  }
  for (Job& job : asked.jobs) job.request.max_tokens = settings.both.request.max_tokens;
  return asked;
}

int run_compare(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  CompareSettings settings;
  add_compare_options(arguments, settings, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  const std::string first = words->empty() ? "" : words->front(), second = words->empty() ? "" : words->back();
  const ModelOptions& both = settings.both.model_options;
  const ComparedModel a = compared_model(first, both, settings.a), b = compared_model(second, both, settings.b);
  const CompareReport report = compare_jobs(a, b, comparison_jobs(settings, a.path.empty()), session);

  const bool text = session.output.format == Format::text;
  session.output.write(text ? compare_table(report, kWorstShown)
                            : dump_json(compare_json(report, settings.gate)) + "\n");
  if (settings.gate) {
    const std::vector<std::string> missed = missed_by(report.total(), *settings.gate);
    for (const std::string& what : missed)
      session.console.error(join("not as near as ", settings.gate->name, " has to be: ", what));
    if (!missed.empty()) return static_cast<int>(ErrorKind::failure);
  }
  return report.failures.empty() ? 0 : static_cast<int>(ErrorKind::input);
}

}  // namespace

const Command kCompare{.name = "compare",
                       .words = "[A [B]]",
                       .most_words = 2,
                       .summary = "Tell how far model B, or another precision of A, is from model A",
                       .examples =
                           "  paligemma compare --weights-b q4\n"
                           "  paligemma compare paligemma2-3b-mix-448/ --weights-b q8 --images photos/ --gate q8\n"
                           "  paligemma compare model/ fine-tuned/ --requests questions.jsonl --json\n",
                       .run = run_compare};

}  // namespace paligemma
