#include "comparison.h"

#include "base/error.h"
#include "demo_scenes.h"
#include "inputs.h"
#include "model/pocket.h"
#include "signals.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

// Questions about one picture that are answered together.
constexpr std::size_t kQuestionsAtOnce = 8;

// Neighbours about the same pictures, so that each picture is read once for them.
std::vector<std::span<const Job>> batches_of(std::span<const Job> jobs) {
  std::vector<std::span<const Job>> batches;
  while (!jobs.empty()) {
    std::size_t count = 1;
    while (count < std::min(jobs.size(), kQuestionsAtOnce) && jobs[count].pictures == jobs[0].pictures) ++count;
    batches.push_back(jobs.first(count));
    jobs = jobs.subspan(count);
  }
  return batches;
}

std::vector<Request> read_batch(std::span<const Job> batch, const ComparisonJobs& asked) {
  std::vector<RequestPicture> pictures;
  for (const std::string& path : batch.front().pictures) pictures.push_back({path, asked.read(path)});
  std::vector<Request> requests;
  for (const Job& job : batch) {
    requests.push_back(job.request);
    requests.back().pictures = pictures;
  }
  return requests;
}

}  // namespace

ComparisonJobs standard_comparison(std::span<const std::string> words, const std::vector<std::string>& labels,
                                   const DecodeOptions& decode_options) {
  std::vector<Request> requests = {{.task = Task::caption},
                                   {.task = Task::caption, .length = CaptionLength::detailed},
                                   {.task = Task::ocr},
                                   {.task = Task::ask, .text = "what is in the picture?"},
                                   {.task = Task::ask, .text = "is there a person?"},
                                   {.task = Task::detect, .labels = labels}};
  // Models that segment are trained on one label at a time.
  for (const std::string& label : labels) requests.push_back({.task = Task::segment, .labels = {label}});
  ComparisonJobs asked;
  for (const std::string& path : expand_inputs(words))
    for (const Request& request : requests) asked.jobs.push_back({.pictures = {path}, .request = request});
  const auto reader = std::make_shared<PictureReader>(decode_options);
  asked.read = [reader](const std::string& path) { return reader->read(path); };
  return asked;
}

ComparisonJobs embedded_comparison() {
  ComparisonJobs asked;
  for (const DemoScene& scene : demo_scenes())
    for (const Request& request : demo_requests(scene))
      asked.jobs.push_back({.pictures = {std::string(scene.file)}, .request = request});
  asked.read = [](const std::string& path) { return decode_picture(pocket_folder().open(path).bytes()); };
  return asked;
}

CompareReport compare_jobs(const ComparedModel& a, const ComparedModel& b, const ComparisonJobs& asked,
                           Session& session) {
  for (const Job& job : asked.jobs) {
    try {
      check_comparable(job.request);
      prompt_text(job.request);
    } catch (const Error& error) {
      if (job.where.empty()) throw;
      throw Error(error.kind(), error.code(), join(job.where, ": ", error.what()));
    }
  }
  const std::vector<std::span<const Job>> batches = batches_of(asked.jobs);
  const CompareQuestions questions{.batches = batches.size(),
                                   .read = [&](std::size_t batch) { return read_batch(batches[batch], asked); }};
  const auto progress = [&](std::size_t done, std::size_t total) {
    session.console.show_progress(done, total, batches[done % batches.size()].front().pictures.front());
  };
  session.console.show_progress(0, 2 * batches.size(), "opening the model");
  defer_signals(true);
  CompareReport report = compare_models(a, b, questions, progress, [] { return interrupted(); });
  session.console.hide_progress();
  for (const Error& error : report.failures) session.console.error(error.what());
  return report;
}

}  // namespace paligemma
