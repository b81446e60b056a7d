#include "eval/merge_check.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/pocket.h"
#include "pipeline.h"

namespace paligemma {
namespace {

constexpr int kProbeTokens = 16;

// An answer, and the row of logits that each of its tokens was chosen from.
struct ProbedAnswer {
  std::vector<std::int32_t> ids;
  std::vector<std::vector<float>> rows;
};

Request probe_request() {
  Request request{.task = Task::caption, .max_tokens = kProbeTokens, .logprobs = true};
  const std::string path(kPocketPhotograph);
  request.pictures.push_back({path, decode_picture(pocket_folder().open(path).bytes())});
  return request;
}

// The rows of the model's own answer, or of `led` when that is not empty.
ProbedAnswer probe(Pipeline& pipeline, Request request, const std::vector<std::int32_t>& led,
                   const std::function<bool()>& stop) {
  ProbedAnswer out;
  const auto vocabulary = static_cast<std::size_t>(pipeline.tokenizer->real_size());
  Probe probe;
  if (!led.empty()) {
    probe.answer.assign(led.begin(), led.end() - 1);
    request.max_tokens = 1;
  }
  probe.see_logits = [&](std::span<const float> row) {
    out.rows.emplace_back(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(vocabulary));
  };
  const std::vector<Result> results = answer(pipeline, {&request, 1}, {&probe, 1}, stop);
  for (const Token& token : results.front().tokens) out.ids.push_back(token.id);
  return out;
}

// Infinite where one has a logit that is not finite and the other another one.
double largest_difference(const ProbedAnswer& a, const ProbedAnswer& b) {
  double largest = 0;
  for (std::size_t row = 0; row < std::min(a.rows.size(), b.rows.size()); ++row)
    for (std::size_t i = 0; i < a.rows[row].size(); ++i) {
      const double difference = std::abs(double{a.rows[row][i]} - double{b.rows[row][i]});
      largest = std::max(largest, std::isfinite(difference) ? difference : INFINITY);
    }
  return largest;
}

}  // namespace

MergeCheck check_merge(const ComparedModel& attached, const std::filesystem::path& merged,
                       const std::function<bool()>& stop) {
  ModelOptions options = attached.options;
  options.compute = Compute::f32;
  options.numerics = Numerics::hf;  // as the merged model's
  Request request = probe_request();
  MergeCheck check;
  ProbedAnswer with;
  {
    const std::unique_ptr<Pipeline> pipeline = open_pipeline(attached.path, options);
    with = probe(*pipeline, request, {}, stop);
    request.adapter.reset();
    check.effect = largest_difference(with, probe(*pipeline, request, with.ids, stop));
  }
  const ModelOptions plain{.compute = Compute::f32, .threads = options.threads, .memory_limit = options.memory_limit};
  const std::unique_ptr<Pipeline> pipeline = open_pipeline(merged, plain);
  const ProbedAnswer without = probe(*pipeline, request, with.ids, stop);
  check.difference = largest_difference(with, without);
  check.tokens = with.ids.size();
  for (std::size_t i = 0; i < check.tokens; ++i)
    check.equal_tokens += std::ranges::max_element(without.rows[i]) - without.rows[i].begin() == with.ids[i] ? 1 : 0;
  return check;
}

}  // namespace paligemma
