#include "answers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "detect/loc.h"
#include "engine/decoding.h"
#include "inputs.h"
#include "model/pocket.h"
#include "pipeline.h"
#include "placement.h"
#include "report/printable.h"
#include "scenes/scene.h"
#include "signals.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

// Runs `work`; an error gets the job's place before its message.
template <class Work>
auto at_job(const Job& job, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    if (job.where.empty()) throw;
    throw Error(error.kind(), error.code(), join(job.where, ": ", error.what()));
  }
}

std::string timings_line(const Result& result) {
  const Timings& t = result.timings;
  const std::pair<const char*, double> stages[] = {{"load", t.load},       {"image", t.image},   {"vision", t.vision},
                                                   {"prefill", t.prefill}, {"decode", t.decode}, {"post", t.post},
                                                   {"total", t.total}};
  std::string line = result.path + ":";
  for (const auto& [stage, ms] : stages) line += join(" ", stage, " ", fixed(ms, 1), " ms");
  return line;
}

class Answering {
 public:
  Answering(const AnswerOptions& options, std::span<const Job> jobs, Session& session);

  // Answers jobs from `first` on, at most `most`, and returns the first that is left.
  std::size_t answer_batch(Model& model, std::size_t first, std::size_t most);

  // Throws for a box outside of its picture, as far as the pictures can be read.
  void check_regions();

  // Makes whole what has been written, also when the work was cut short.
  void finish() { annotations_.finish(session_.output); }

  std::size_t failures() const { return failures_; }

 private:
  Request read(const Job& job);
  // `asked` has the job of each request.
  std::vector<Result> ask(Model& model, std::span<const std::size_t> asked, std::span<const Request> requests);
  void print(std::size_t job, const Request& request, const Result& result);
  void print_failure(std::size_t job, const Error& error);
  void warn_of_strangers(const Model& model);

  const AnswerOptions& options_;
  std::span<const Job> jobs_;
  Placement placement_{};
  Annotations annotations_{};
  Session& session_;
  PictureReader pictures_;
  std::size_t failures_ = 0;
  bool warned_ = false;  // of a picture that the embedded model knows nothing of
};

Answering::Answering(const AnswerOptions& options, std::span<const Job> jobs, Session& session)
    : options_(options), jobs_(jobs), session_(session), pictures_(options.decode_options) {
  std::vector<std::string> inputs;
  for (const Job& job : jobs) {
    inputs.push_back(job.pictures.front());
    for (const std::string& path : job.pictures) pictures_.want(path);
    if (job.request.region) pictures_.want(job.pictures.front());  // check_regions()
  }
  if (options.format != AnnotationFormat::none) {
    annotations_ = Annotations(options.format, options.output, inputs, options.request, options.force);
  } else {
    const bool masks = std::ranges::any_of(jobs, [](const Job& job) { return job.request.task == Task::segment; });
    placement_ = Placement(options.output, inputs, masks, options.force);
  }
}

void Answering::check_regions() {
  for (const Job& job : jobs_) {
    if (!job.request.region) continue;
    const std::string& path = job.pictures.front();
    try {
      const SharedPicture picture = pictures_.read(path);
      check_region(*job.request.region, {picture->width, picture->height}, path);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;  // fails in its turn
    }
  }
}

Request Answering::read(const Job& job) {
  Request request = job.request;
  for (const std::string& path : job.pictures) request.pictures.push_back({path, pictures_.read(path)});
  return request;
}

std::vector<Result> Answering::ask(Model& model, std::span<const std::size_t> asked,
                                   std::span<const Request> requests) {
  const auto stop = [&] {
    session_.console.show_progress(asked.front(), jobs_.size(), jobs_[asked.front()].pictures.front());
    return terminated();
  };
  try {
    return model.answer(requests, stop);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
  }
  // One of them can't be asked: each alone shows which.
  std::vector<Result> results;
  for (std::size_t i = 0; i < requests.size(); ++i)
    results.push_back(at_job(jobs_[asked[i]], [&] { return model.answer(requests[i], stop); }));
  return results;
}

std::size_t Answering::answer_batch(Model& model, std::size_t first, std::size_t most) {
  session_.console.show_progress(first, jobs_.size(), jobs_[first].pictures.front());
  std::vector<Request> requests;
  std::vector<std::size_t> asked;
  std::map<std::size_t, Error> failed;
  std::set<const Picture*> held;
  std::int64_t pixels = 0;
  std::size_t end = first;
  for (; end < jobs_.size() && end - first < most && pixels < PictureReader::kMostPixels; ++end) {
    try {
      requests.push_back(read(jobs_[end]));
      asked.push_back(end);
      for (const RequestPicture& picture : requests.back().pictures)
        if (held.insert(&*picture.pixels).second) pixels += pixel_count(picture.pixels);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      failed.emplace(end, error);
    }
    if (interrupted() && requests.empty()) return end;  // a read was cut short
  }
  warn_of_strangers(model);
  std::vector<Result> results;
  if (!requests.empty()) results = ask(model, asked, requests);
  for (std::size_t job = first, next = 0; job < end; ++job) {
    if (const auto failure = failed.find(job); failure != failed.end()) {
      print_failure(job, failure->second);
    } else {
      print(job, requests[next], results[next]);
      ++next;
    }
  }
  return end;
}

void Answering::warn_of_strangers(const Model& model) {
  if (warned_ || model.info().name != kPocketName) return;
  const std::string stranger = pictures_.first_not_of(world::kPictureSource);
  if (stranger.empty()) return;
  warned_ = true;
  session_.console.warning(
      join(stranger,
           ": the embedded model has learned nothing but the drawn world of `paligemma scenes`, which this picture ",
           "is not of. Try: -m PATH, a PaliGemma checkpoint"));
}

void Answering::print(std::size_t job, const Request& request, const Result& result) {
  Console& console = session_.console;
  console.hide_progress();
  if (annotations_.wanted()) {
    annotations_.add(job, result, session_.output);
  } else {
    std::vector<std::string> mask_files;
    if (placement_.wanted() && result.task == Task::segment) mask_files = placement_.write_masks(job, result);
    session_.output.result(result, mask_files);
    if (placement_.wanted()) placement_.write_drawing(job, request.pictures.front().pixels, result);
  }
  for (const Warning& warning : result.warnings) {
    console.warning(join(result.path, ": ", warning.code, ": ", warning.text));
  }
  if (session_.output.format == Format::text) {
    for (const Token& token : result.tokens)
      console.note(join(fixed(token.logprob, 4), " ", token.id, " ", token.text));
    if (options_.timings) console.note(timings_line(result));
  }
  console.detail(join(result.path, ": ", result.width, "x", result.height, ", prompt \"", result.prompt, "\", ",
                      result.prompt_tokens, " + ", result.generated_tokens, " tokens, ended by ",
                      result.finish == Finish::eos ? "the model" : "--max-tokens"));
}

void Answering::print_failure(std::size_t job, const Error& error) {
  ++failures_;
  session_.console.error(error.what());
  if (annotations_.wanted()) {
    annotations_.add_failure(job, error, session_.output);
  } else {
    session_.output.failed_picture(jobs_[job].pictures.front(), error);
  }
}

// What can be known to be wrong before the model is opened.
void check_jobs(const AnswerOptions& options, std::span<const Job> jobs) {
  for (const Job& job : jobs)
    at_job(job, [&] {
      check_decoding(job.request.sampling, job.request.beams);
      find_adapter(options.model_options.adapters, job.request);
      return prompt_text(job.request);
    });
}

}  // namespace

int answer_pictures(const AnswerOptions& options, std::span<const std::string> words, Session& session) {
  return answer_pictures(options, words, std::span(&options.request, 1), session);
}

int answer_pictures(const AnswerOptions& options, std::span<const std::string> words,
                    std::span<const Request> questions, Session& session) {
  std::vector<Job> jobs;
  for (const std::string& path : expand_inputs(words))
    for (const Request& question : questions) jobs.push_back({.pictures = {path}, .request = question});
  return answer_jobs(options, jobs, session);
}

int answer_jobs(const AnswerOptions& options, std::span<const Job> jobs, Session& session) {
  check_jobs(options, jobs);
  Answering answering(options, jobs, session);
  session.output.several = jobs.size() > 1;
  session.output.fields = {.tokens = options.request.logprobs, .timings = options.timings};

  answering.check_regions();
  session.console.show_progress(0, jobs.size(), "opening the model");
  Model model = open_model(options);
  const ModelInfo& info = model.info();
  session.console.detail(join(info.name, ": ", info.family, ", ", info.parameters, " parameters, ", info.image_size,
                              " px, weights ", info.weights, ", compute ", info.compute, ", ", info.isa, ", opened in ",
                              fixed(info.load_ms, 0), " ms"));
  defer_signals(true);
  const auto batch = static_cast<std::size_t>(options.batch);
  try {
    for (std::size_t next = 0; next < jobs.size() && !interrupted();) next = answering.answer_batch(model, next, batch);
  } catch (...) {
    try {
      answering.finish();
    } catch (const Error&) {
      // the first error is the one to tell
    }
    throw;
  }
  answering.finish();
  session.console.hide_progress();
  session.output.close();
  if (interrupted()) return signal_exit_code();
  return answering.failures() == 0 ? 0 : static_cast<int>(ErrorKind::input);
}

}  // namespace paligemma
