#include "eval/compare.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "eval/logit_file.h"
#include "eval/metrics.h"
#include "pipeline.h"

namespace paligemma {
namespace {

// What A said to one request.
struct Reference {
  Result result;
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> rows;  // of its logits, one for each id
};

// What B says in A's place: the most probable token after each beginning of A's answer.
struct Led {
  std::vector<std::int32_t> choices;
  double kl = 0, largest_kl = 0;

  // The first place where B goes another way; the number of tokens when there is none.
  std::size_t parting(const std::vector<std::int32_t>& ids) const {
    return static_cast<std::size_t>(std::ranges::mismatch(choices, ids).in1 - choices.begin());
  }
};

std::optional<Tokenizer> tokenizer_of(const ComparedModel& model) {
  const ModelFiles files = find_model(model.path);
  const auto found = find_tokenizer(files, model.options.tokenizer);
  if (!found) return {};  // opening the model says so
  return read_tokenizer(*found, files.config.image_token);
}

void require_same_tokens(const ComparedModel& a, const ComparedModel& b) {
  if (a.path == b.path && a.options.tokenizer == b.options.tokenizer) return;
  const auto one = tokenizer_of(a), other = tokenizer_of(b);
  if (!one || !other) return;
  const auto refuse = [](const auto& left, const auto& right) {
    fail(ErrorKind::usage, "compare", "cannot compare models with different tokens: expected ", left, " of both, got ",
         right);
  };
  if (one->real_size() != other->real_size()) refuse(one->real_size(), other->real_size());
  for (int id = 0; id < one->real_size(); ++id)
    if (one->piece(id) != other->piece(id)) refuse(one->piece(id), other->piece(id));
}

std::vector<std::int32_t> ids_of(const Result& result) {
  std::vector<std::int32_t> ids;
  for (const Token& token : result.tokens) ids.push_back(token.id);
  return ids;
}

std::int32_t most_probable(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin());
}

// `b` is B's own answer.
ComparedAnswer compare_answers(const Reference& a, const Led& led, const Result& b) {
  ComparedAnswer compared{.task = a.result.task,
                          .path = a.result.path,
                          .prompt = a.result.prompt,
                          .a = a.result.text,
                          .b = b.text,
                          .scores = {.answers = 1, .kl = led.kl, .largest_kl = led.largest_kl}};
  CompareScores& scores = compared.scores;
  scores.equal_answers = led.parting(a.ids) == a.ids.size() ? 1 : 0;
  scores.tokens = static_cast<std::int64_t>(a.ids.size());
  for (std::size_t i = 0; i < a.ids.size(); ++i) scores.equal_tokens += led.choices[i] == a.ids[i] ? 1 : 0;

  scores.boxes = static_cast<std::int64_t>(a.result.objects.size());
  scores.extra_boxes = static_cast<std::int64_t>(b.objects.size());
  const auto matches = match_objects(a.result.objects, b.objects);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const Object& object = a.result.objects[i];
    scores.masks += object.mask ? 1 : 0;
    if (!matches[i]) continue;
    const Object& match = b.objects[*matches[i]];
    --scores.extra_boxes;
    scores.box_iou += box_iou(object.box, match.box);
    if (object.mask && match.mask) scores.mask_iou += mask_iou(*object.mask, *match.mask);
  }
  return compared;
}

class Comparing {
 public:
  Comparing(const CompareQuestions& questions, const std::function<void(std::size_t, std::size_t)>& progress,
            const std::function<bool()>& stop)
      : questions_(questions), progress_(progress), stop_(stop) {}

  CompareReport run(const ComparedModel& a, const ComparedModel& b);

 private:
  // Calls `answer` with each batch that can be read.
  template <class Answer>
  void for_each_batch(const Answer& answer);

  std::vector<Reference> answer_first(Pipeline& pipeline, LogitFile& logits, std::span<const Request> requests);
  std::vector<Led> lead(Pipeline& pipeline, LogitFile& logits, std::span<const Reference> references,
                        std::span<const Request> requests, std::vector<Result>& results);
  void answer_apart(Pipeline& pipeline, std::span<const Reference> references, std::span<const Led> led,
                    std::span<const Request> requests, std::vector<Result>& results);

  const CompareQuestions& questions_;
  const std::function<void(std::size_t, std::size_t)>& progress_;
  const std::function<bool()>& stop_;
  std::size_t done_ = 0;
  std::vector<bool> failed_;  // of each batch
  std::vector<Error> failures_;
};

template <class Answer>
void Comparing::for_each_batch(const Answer& answer) {
  for (std::size_t batch = 0; batch < questions_.batches; ++batch, ++done_) {
    if (failed_[batch]) continue;
    if (progress_) progress_(done_, 2 * questions_.batches);
    std::vector<Request> requests;
    try {
      requests = questions_.read(batch);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      failed_[batch] = true;
      failures_.push_back(error);
    }
    if (stop_ && stop_()) fail(ErrorKind::failure, "interrupted", "interrupted before all answers were compared");
    if (failed_[batch]) continue;
    for (Request& request : requests) {
      check_comparable(request);
      request.logprobs = true;  // the tokens are wanted
    }
    answer(batch, requests);
  }
}

std::vector<Reference> Comparing::answer_first(Pipeline& pipeline, LogitFile& logits,
                                               std::span<const Request> requests) {
  const auto vocabulary = static_cast<std::size_t>(pipeline.tokenizer->real_size());
  std::vector<Reference> references(requests.size());
  std::vector<Probe> probes(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i)
    probes[i].see_logits = [&, i](std::span<const float> row) {
      references[i].rows.push_back(logits.append(row.first(vocabulary)));
    };
  std::vector<Result> results = answer(pipeline, requests, probes, stop_);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    references[i].ids = ids_of(results[i]);
    references[i].result = std::move(results[i]);
  }
  return references;
}

// Answers that take A's way to its end are B's own, and are left in `results`.
std::vector<Led> Comparing::lead(Pipeline& pipeline, LogitFile& logits, std::span<const Reference> references,
                                 std::span<const Request> requests, std::vector<Result>& results) {
  const auto vocabulary = static_cast<std::size_t>(pipeline.tokenizer->real_size());
  std::vector<Led> led(requests.size());
  std::vector<Probe> probes(requests.size());
  std::vector<Request> led_requests(requests.begin(), requests.end());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    led_requests[i].max_tokens = 1;
    probes[i].answer.assign(references[i].ids.begin(), references[i].ids.end() - 1);
    probes[i].see_logits = [&, i](std::span<const float> row) {
      const std::span<const float> counted = row.first(vocabulary);
      const double kl = kl_divergence(logits.read(references[i].rows[led[i].choices.size()]), counted);
      led[i].choices.push_back(most_probable(counted));
      led[i].kl += kl;
      led[i].largest_kl = std::max(led[i].largest_kl, kl);
    };
  }
  results = answer(pipeline, led_requests, probes, stop_);
  return led;
}

// The others: from where they part on.
void Comparing::answer_apart(Pipeline& pipeline, std::span<const Reference> references, std::span<const Led> led,
                             std::span<const Request> requests, std::vector<Result>& results) {
  std::vector<std::size_t> apart;
  std::vector<Request> apart_requests;
  std::vector<Probe> probes;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::size_t same = led[i].parting(references[i].ids);
    if (same == references[i].ids.size()) continue;
    apart.push_back(i);
    apart_requests.push_back(requests[i]);
    apart_requests.back().max_tokens -= static_cast<int>(same);
    Probe& probe = probes.emplace_back();
    probe.answer.assign(references[i].ids.begin(), references[i].ids.begin() + static_cast<std::ptrdiff_t>(same));
  }
  if (apart.empty()) return;
  std::vector<Result> own = answer(pipeline, apart_requests, probes, stop_);
  for (std::size_t i = 0; i < apart.size(); ++i) results[apart[i]] = std::move(own[i]);
}

CompareReport Comparing::run(const ComparedModel& a, const ComparedModel& b) {
  require_same_tokens(a, b);
  failed_.assign(questions_.batches, false);
  CompareReport report;
  std::vector<std::vector<Reference>> references(questions_.batches);
  std::optional<LogitFile> logits;
  {
    const std::unique_ptr<Pipeline> pipeline = open_pipeline(a.path, a.options);
    report.a = pipeline->info;
    logits.emplace(static_cast<std::size_t>(pipeline->tokenizer->real_size()));
    for_each_batch([&](std::size_t batch, std::span<const Request> requests) {
      references[batch] = answer_first(*pipeline, *logits, requests);
    });
  }
  const std::unique_ptr<Pipeline> pipeline = open_pipeline(b.path, b.options);
  report.b = pipeline->info;
  for_each_batch([&](std::size_t batch, std::span<const Request> requests) {
    std::vector<Result> results;
    const std::vector<Led> led = lead(*pipeline, *logits, references[batch], requests, results);
    answer_apart(*pipeline, references[batch], led, requests, results);
    for (std::size_t i = 0; i < requests.size(); ++i)
      report.answers.push_back(compare_answers(references[batch][i], led[i], results[i]));
    references[batch].clear();
  });
  report.failures = std::move(failures_);
  return report;
}

}  // namespace

void CompareScores::add(const CompareScores& other) {
  answers += other.answers, equal_answers += other.equal_answers;
  tokens += other.tokens, equal_tokens += other.equal_tokens;
  boxes += other.boxes, masks += other.masks, extra_boxes += other.extra_boxes;
  kl += other.kl, largest_kl = std::max(largest_kl, other.largest_kl);
  box_iou += other.box_iou, mask_iou += other.mask_iou;
}

CompareScores CompareReport::total() const {
  CompareScores sum;
  for (const ComparedAnswer& answer : answers) sum.add(answer.scores);
  return sum;
}

void check_comparable(const Request& request) {
  const Sampling& s = request.sampling;
  const bool greedy = s.temperature == 0 && s.repetition_penalty == 1 && request.beams.count == 1;
  if (!greedy || !request.suffix.empty() || request.max_tokens < 1)
    fail(ErrorKind::usage, "compare", "cannot compare: expected greedy answers of one token or more, got a ",
         !greedy                  ? "temperature, repetition penalty or beams"
         : request.suffix.empty() ? "limit of none"
                                  : "suffix");
}

CompareReport compare_models(const ComparedModel& a, const ComparedModel& b, const CompareQuestions& questions,
                             const std::function<void(std::size_t, std::size_t)>& progress,
                             const std::function<bool()>& stop) {
  return Comparing(questions, progress, stop).run(a, b);
}

std::vector<std::string> missed_by(const CompareScores& scores, const QualityGate& gate) {
  std::vector<std::string> missed;
  const auto require = [&](std::string_view what, double least, double sum, std::int64_t count) {
    const double got = sum / static_cast<double>(count);
    if (!(got >= least)) missed.push_back(join(what, ": expected at least ", least, ", got ", got));
  };
  if (scores.tokens == 0) return {"no answers: expected some to compare"};
  require("equal tokens", gate.equal_tokens, static_cast<double>(scores.equal_tokens), scores.tokens);
  if (scores.boxes > 0) require("box IoU", gate.box_iou, scores.box_iou, scores.boxes);
  return missed;
}

}  // namespace paligemma
