#include "train/run_log.h"

#include <cmath>
#include <limits>

#include "io/file.h"
#include "io/json_fields.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMostSteps = std::int64_t{1} << 53;  // whole numbers that every reader of JSON holds
constexpr std::size_t kMaxLogBytes = std::size_t{1} << 30;
constexpr Limits<double> kAnyDouble{std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()};
constexpr double kNotFinite = std::numeric_limits<double>::quiet_NaN();

std::int64_t read_step(const JsonFields& line) {
  const auto step = line.whole("step", {0, kMostSteps});
  if (!step) line.refuse("step", "a whole number");
  return *step;
}

LoggedStep read_logged_step(const JsonFields& line) {
  const auto number = [&](std::string_view key) { return line.number(key, kAnyDouble).value_or(kNotFinite); };
  return {.step = read_step(line),
          .loss = number("loss"),
          .grad_norm = number("grad_norm"),
          .lr = number("lr"),
          .examples_per_s = number("examples_per_s"),
          .skipped = line.flag("skipped").value_or(false),
          .dense = line.number("dense", kAnyDouble)};
}

LoggedEvaluation read_logged_evaluation(const JsonFields& line) {
  LoggedEvaluation evaluation{.step = read_step(line), .best = line.flag("best").value_or(false)};
  const JsonFields metrics = line.section("metrics");
  for (const auto& [name, value] : metrics.object().items())
    evaluation.metrics.emplace_back(name, value.is_null() ? kNotFinite : metrics.number(name, value, kAnyDouble));
  return evaluation;
}

}  // namespace

std::string log_line(const LoggedStep& step) {
  Json line = {{"step", step.step},
               {"loss", step.loss},
               {"grad_norm", step.grad_norm},
               {"lr", step.lr},
               {"examples_per_s", step.examples_per_s},
               {"skipped", step.skipped}};
  if (step.dense) line["dense"] = *step.dense;
  return dump_json(line) + "\n";
}

std::string log_line(const LoggedEvaluation& evaluation) {
  Json metrics = Json::object();
  for (const auto& [name, value] : evaluation.metrics) metrics[name] = value;
  return dump_json({{"step", evaluation.step}, {"metrics", std::move(metrics)}, {"best", evaluation.best}}) + "\n";
}

std::pair<RunHistory, std::size_t> read_run_log(std::string_view text, std::string_view where, std::int64_t last_step) {
  RunHistory history;
  std::int64_t before = 0;
  std::size_t bytes = 0;
  for (std::size_t number = 1, end; (end = text.find('\n', bytes)) != text.npos; bytes = end + 1, ++number) {
    const JsonOrigin origin{ErrorKind::model, "run_log", "reading the log of a run", join(where, ":", number)};
    Json json;
    try {
      json = parse_json(text.substr(bytes, end - bytes), origin.where, origin.kind);
    } catch (const Error& error) {
      throw Error(origin.kind, origin.code, error.what());
    }
    const JsonFields line(json, origin);
    const bool evaluated = line.find("metrics") != nullptr;
    const std::int64_t step = read_step(line);
    if (step > last_step) break;
    const std::int64_t least = before + (evaluated || history.steps.empty() ? 0 : 1);
    if (step < least) line.refuse("step", join(least, " or more"));
    before = step;
    if (evaluated)
      history.evaluations.push_back(read_logged_evaluation(line));
    else
      history.steps.push_back(read_logged_step(line));
  }
  return {std::move(history), bytes};
}

RunLog::RunLog(const std::filesystem::path& path, RunHistory history, std::uint64_t bytes)
    : history_(std::move(history)), file_(path, bytes) {}

RunLog RunLog::create(const std::filesystem::path& path) { return RunLog(path, {}, 0); }

RunLog RunLog::resume(const std::filesystem::path& path, std::int64_t step) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return create(path);
  const FileBytes file = FileBytes::read(path, ErrorKind::model, kMaxLogBytes);
  auto [history, bytes] = read_run_log(file.text(), path.string(), step);
  return RunLog(path, std::move(history), bytes);
}

void RunLog::add(const LoggedStep& step) {
  file_.append(log_line(step));
  history_.steps.push_back(step);
}

void RunLog::add(const LoggedEvaluation& evaluation) {
  file_.append(log_line(evaluation));
  history_.evaluations.push_back(evaluation);
}

}  // namespace paligemma
