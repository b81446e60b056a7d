#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "eval/average_precision.h"
#include "io/output_folder.h"
#include "train/batches.h"
#include "train/event_file.h"
#include "train/report_samples.h"
#include "train/run_log.h"
#include "train/run_settings.h"
#include "train/start_model.h"
#include "train/unlearnable.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kDenseShare = 0.85;       // of the steps ask image tokens
constexpr std::int64_t kMostSkipped = 20;  // steps in a row without a finite gradient
constexpr const char *kRecipeFile = "recipe.toml", *kProblemsFile = "problems.txt";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

constexpr std::string_view kLossMetric = "loss_of_answers", kPerplexityMetric = "perplexity";

// All that is known of the answers, the metric that decides first: the one asked for, else the first of the task's that
// is a number, else the loss.
std::vector<MetricValue> validation_metrics(const std::string& asked, std::span<const Record> records,
                                            const LossValue& loss) {
  std::vector<MetricValue> values;
  const bool by_loss = asked == kLossMetric || asked == kPerplexityMetric;
  if (!records.empty()) {
    std::vector<std::string> names = default_metrics(records);
    if (asked != "auto" && !by_loss) names.insert(names.begin(), asked);
    values = paligemma::evaluate(records, names);
  }
  values.push_back({std::string(kLossMetric), loss.loss, false});
  values.push_back({std::string(kPerplexityMetric), loss.perplexity, false});
  const auto decides = std::ranges::find_if(values, [&](const MetricValue& value) {
    return asked == "auto" ? std::isfinite(value.value) && value.value != kNoTruth : value.name == asked;
  });
  if (decides == values.end()) value_of(values, asked);  // says what there is
  std::rotate(values.begin(), decides, decides + 1);
  return values;
}

class Run {
 public:
  Run(Recipe recipe, bool resume, const RunHooks& hooks)
      : recipe_(std::move(recipe)), out_(recipe_.out), resume_(resume), hooks_(hooks) {}

  RunResult go();

 private:
  void begin();
  void warn_of_words();
  void resume();
  void step();
  std::vector<Example> next_examples();
  bool evaluate();
  void report(const std::vector<ValidationAnswer>& answers);
  void save(bool best);
  bool stopping() const { return hooks_.stop && hooks_.stop(); }
  bool due(std::int64_t every) const { return every > 0 && position_.step % every == 0; }

  Recipe recipe_;
  fs::path out_;
  bool resume_;
  const RunHooks& hooks_;
  RunData data_;
  std::unique_ptr<Trainee> trainee_;
  std::optional<Objective> objective_;
  std::optional<Loader> loader_;
  std::optional<RunLog> log_;
  std::optional<EventFile> events_;
  std::optional<BatchMaker> batches_;
  ValidationOptions validation_;
  TokenizeOptions tokens_;
  RunPosition position_;
  RunProgress progress_;
  RunResult result_;
  std::optional<ReportSamples> samples_;
  std::int64_t saved_ = 0;  // the step of the last checkpoint; the model as it was is none
  std::int64_t cut_ = 0;    // answers that were longer than they may be
};

void Run::begin() {
  if (resume_ && fs::exists(out_ / kRecipeFile) && !fs::exists(out_ / kLastLink)) {
    hooks_.note("there is no checkpoint yet: the run begins again");
    resume_ = false;
  }
  data_ = open_run_data(recipe_, (out_ / kProblemsFile).string());
  for (std::size_t at = 0; at < data_.summary.size();) {
    const std::size_t end = std::min(data_.summary.find('\n', at), data_.summary.size());
    hooks_.note(data_.summary.substr(at, end - at));
    at = end + 1;
  }
  fs::path adapter;
  if (resume_)
    adapter = last_checkpoint(out_);
  else if (recipe_.mode != "full")
    adapter = recipe_.init;
  ModelFiles files = start_model(recipe_, data_.data);
  settle_recipe(recipe_, data_, parameter_count(files.config));
  const MemoryPlan plan = settle_memory(recipe_, files, data_);
  trainee_ = open_trainee(recipe_, std::move(files), recipe_.mode == "full" ? fs::path() : adapter);
  Pipeline& pipeline = *trainee_->pipeline;
  if (recipe_.mode == "full" && !recipe_.init.empty() && !resume_) load_values(recipe_.init, kDenseHeadName, *trainee_);

  objective_.emplace(*pipeline.backend, pipeline.config, pipeline.network,
                     objective_options(recipe_, *trainee_, plan.activations));
  const LoaderOptions loading = training_loader(recipe_, *trainee_);
  loader_.emplace(data_.data, data_.training, loading);
  tokens_ = tokenize_options(recipe_, pipeline);
  validation_ = evaluation_options(recipe_, trainee_->files, pipeline);
  validation_.places = data_.validation;
  if (std::ssize(validation_.places) > recipe_.eval_limit) validation_.places.resize(std::size_t(recipe_.eval_limit));
  batches_.emplace(*trainee_, data_.data, *objective_, !loading.augment.any(), recipe_.pack);

  samples_.emplace(out_);
  warn_of_words();
  if (resume_) return resume();
  std::error_code error;
  fs::create_directories(out_, error);
  OutputFolder folder(out_);
  folder.write(kRecipeFile, write_recipe(recipe_));
  if (!data_.data.problems.empty()) folder.write(kProblemsFile, problems_text(data_.data));
  folder.commit(true);
  position_.data = fingerprint(data_.data);
  log_.emplace(RunLog::create(out_ / "log.jsonl"));
  events_.emplace(out_, 0, now());
}

void Run::warn_of_words() {
  if (recipe_.mode == "full") return;
  constexpr std::size_t kNamed = 5;
  const std::vector<std::string> words = unlearnable_words(*trainee_->pipeline, data_.data);
  if (words.empty()) return;
  std::string named;
  for (std::size_t i = 0; i < std::min(kNamed, words.size()); ++i) named += (i == 0 ? "" : ", ") + words[i];
  hooks_.warning(join(words.size(), " class names or answers have tokens that this model has no numbers for, which ",
                      recipe_.mode, " cannot learn: ", named, words.size() > kNamed ? ", ..." : "",
                      ". Try: words that it knows, or --mode full"));
}

void Run::resume() {
  const fs::path checkpoint = last_checkpoint(out_);
  position_ = read_position(checkpoint);
  saved_ = position_.step;
  load_state(checkpoint, position_, *trainee_);
  if (fingerprint(data_.data) != position_.data)
    fail(ErrorKind::usage, "data_changed", "the data is not what the run began with: ", recipe_.data,
         ": expected the same samples and pictures. Try: a new run, with --init ", (out_ / kLastLink).string());
  loader_->seek(position_.epoch, position_.place);
  log_.emplace(RunLog::resume(out_ / "log.jsonl", position_.step));
  events_.emplace(out_, position_.step + 1, now());
  hooks_.note(join("going on behind step ", position_.step, " of ", recipe_.steps));
}

std::vector<Example> Run::next_examples() {
  std::vector<Example> examples;
  for (std::int64_t i = 0; i < recipe_.batch * recipe_.accumulate; ++i) examples.push_back(loader_->next());
  position_.epoch = examples.back().epoch;
  position_.place = examples.back().position + 1;
  return examples;
}

void Run::step() {
  const Clock::time_point start = Clock::now();
  const std::vector<Example> examples = next_examples();
  std::vector<TokenExample> tokens;
  for (const Example& example : examples) {
    TokenizedExample one = tokenize(*trainee_->pipeline->tokenizer, example.target, tokens_);
    one.example.weight = static_cast<float>(example.weight);
    cut_ += one.cut ? 1 : 0;
    tokens.push_back(std::move(one.example));
  }
  const auto weights = loss_weights(tokens, recipe_.loss == "token-mean" ? LossMean::token : LossMean::example);
  trainee_->parameters->zero_gradients();
  const bool asks_tokens = static_cast<double>(position_.step) < kDenseShare * static_cast<double>(recipe_.steps);
  const double dense_weight = asks_tokens ? recipe_.dense_head : 0;
  double loss = 0, dense = 0;
  const auto batch_size = static_cast<std::size_t>(recipe_.batch);
  for (std::size_t first = 0; first < examples.size(); first += batch_size) {
    const std::size_t count = std::min(batch_size, examples.size() - first);
    Batch batch = batches_->make(std::span(examples).subspan(first, count), std::span(tokens).subspan(first, count));
    batch.dense_weight = dense_weight / static_cast<double>(recipe_.accumulate);
    batch.decoder = position_.step >= recipe_.dense_steps;
    const LoraDropout dropout{static_cast<float>(recipe_.dropout),
                              seed_of(static_cast<std::uint64_t>(recipe_.seed), 1,
                                      static_cast<std::uint64_t>(position_.step) * examples.size() + first)};
    const Loss part = objective_->run(
        batch, std::span(weights).subspan(first, count), trainee_->adapter_set(),
        [&](Tape& tape) { trainee_->train_on(tape); }, dropout);
    loss += part.loss + batch.dense_weight * part.dense;
    dense += part.dense / static_cast<double>(recipe_.accumulate);
  }
  trainee_->finish_gradients();
  const Schedule schedule = recipe_.schedule == "constant"    ? Schedule::constant
                            : recipe_.schedule == "linear"    ? Schedule::linear
                            : recipe_.schedule == "trapezoid" ? Schedule::trapezoid
                                                              : Schedule::cosine;
  const double factor = schedule_factor(schedule, position_.step, recipe_.steps, recipe_.warmup);
  StepResult done;
  if (std::isfinite(loss + dense))
    done = trainee_->optimizer->step({.lr = recipe_.lr * factor, .lr_adamw = recipe_.lr_adamw * factor});
  else
    done = {NAN, true};
  if (!done.skipped) trainee_->place();
  ++position_.step;
  position_.skipped += done.skipped ? 1 : 0;
  position_.skipped_in_row = done.skipped ? position_.skipped_in_row + 1 : 0;

  const double rate = static_cast<double>(examples.size()) / seconds_since(start);
  log_->add(LoggedStep{position_.step, loss, done.gradient_norm, recipe_.lr * factor, rate, done.skipped,
                       dense_weight > 0 ? std::optional(dense) : std::nullopt});
  events_->add_scalar("train/loss", position_.step, loss, now());
  events_->add_scalar("train/grad_norm", position_.step, done.gradient_norm, now());
  events_->add_scalar("train/lr", position_.step, recipe_.lr * factor, now());
  progress_.step = position_.step, progress_.steps = recipe_.steps;
  progress_.loss = loss, progress_.pictures_per_s = rate, progress_.skipped = position_.skipped;
  progress_.dense = dense_weight > 0 ? std::optional(dense) : std::nullopt;
  hooks_.progress(progress_);
  result_.loss = loss;
  if (position_.skipped_in_row >= kMostSkipped)
    fail(ErrorKind::failure, "diverged", "the run cannot go on: loss or gradients were no finite numbers in ",
         position_.skipped_in_row, " steps in a row. Try: a smaller --lr, or --compute f32; ",
         (out_ / kLastLink).string(), " is the last good state");
}

// False when the run is to end before all answers are there: a part of them decides nothing.
bool Run::evaluate() {
  Pipeline& pipeline = *trainee_->pipeline;
  trainee_->optimizer->swap_with_average();
  if (recipe_.ema > 0) trainee_->place();
  std::vector<std::pair<std::string, double>> metrics;
  const LossValue value = validation_loss(*objective_, pipeline, data_.data, validation_, trainee_->adapter_set());
  const std::vector<ValidationAnswer> answers = answer_samples(
      pipeline, data_.data, validation_,
      [&](std::size_t done) {
        if (hooks_.evaluating) hooks_.evaluating(done, validation_.places.size());
      },
      hooks_.stop);
  trainee_->optimizer->swap_with_average();
  if (recipe_.ema > 0) trainee_->place();
  if (stopping()) return false;
  std::vector<Record> records;
  for (const ValidationAnswer& one : answers) records.push_back(record_of(one));
  const std::vector<MetricValue> values = validation_metrics(recipe_.metric, records, value);
  for (const MetricValue& one : values) metrics.emplace_back(one.name, one.value);
  const double decides = values.front().value;
  const bool higher = values.front().higher_is_better;
  // Of two that are equal by the metric the one with the smaller loss. The model as it was is no checkpoint.
  const double gain = position_.best ? (higher ? decides - *position_.best : *position_.best - decides) : 1;
  const bool best =
      position_.step > 0 && std::isfinite(decides) && (gain > 0 || (gain == 0 && value.loss < position_.best_loss));
  if (best) {
    position_.best = decides, position_.best_loss = value.loss;
    position_.best_step = position_.step, position_.worse = 0;
  } else if (position_.step > 0) {
    ++position_.worse;
  }
  log_->add(LoggedEvaluation{position_.step, metrics, best});
  for (const auto& [name, number] : metrics) events_->add_scalar("validation/" + name, position_.step, number, now());
  progress_.metric = metrics.front().first;
  progress_.latest = decides, progress_.best = position_.best, progress_.best_step = position_.best_step;
  result_.metrics = metrics;
  report(answers);
  if (position_.step > 0) save(best);
  return true;
}

void Run::save(bool best) {
  save_checkpoint(out_, *trainee_, position_, best, recipe_.keep, recipe_.save_type);
  saved_ = position_.step;
}

void Run::report(const std::vector<ValidationAnswer>& answers) {
  if (position_.step == 0)
    samples_->begin(answers, validation_.drawn);
  else
    samples_->update(answers);
  RunReport report{.title = out_.string(),
                   .state = join("step ", position_.step, " of ", recipe_.steps),
                   .facts = {{"data", data_.summary},
                             {"model", trainee_->pipeline->info.name},
                             {"mode", recipe_.mode},
                             {"optimizer", recipe_.optimizer},
                             {"examples a step", std::to_string(recipe_.batch * recipe_.accumulate)}},
                   .samples = samples_->list()};
  write_report(out_ / "report.html", report, log_->history());
}

RunResult Run::go() {
  begin();
  const bool validates = !validation_.places.empty();
  const auto evaluation_is_due = [&] {
    if (!validates || !(position_.step == recipe_.steps || due(recipe_.eval_every))) return false;
    const std::vector<LoggedEvaluation>& done = log_->history().evaluations;
    return done.empty() || done.back().step < position_.step;
  };
  bool ended = false;
  while (!ended && !stopping()) {
    if (evaluation_is_due()) {
      if (!evaluate()) break;
      if (recipe_.patience > 0 && position_.worse >= recipe_.patience) result_.stopped = "patience";
    } else if (position_.step != saved_ && (position_.step == recipe_.steps || due(recipe_.save_every))) {
      save(false);
    }
    ended = position_.step == recipe_.steps || !result_.stopped.empty();
    if (!ended) step();
  }
  if (!ended) {
    result_.stopped = "interrupted";
    if (position_.step != saved_) save(false);
  }
  if (cut_ > 0)
    hooks_.warning(join(cut_, " answers were longer than ", recipe_.answer_tokens,
                        " tokens: their ends were not learnt. Try: --answer-tokens"));
  for (const Skipped& skipped : loader_->skipped())
    hooks_.warning(join("left out: ", data_.data.samples[skipped.sample].picture.name, ": ", skipped.message));
  result_.position = position_;
  return result_;
}

}  // namespace

RunResult train(Recipe recipe, bool resume, const RunHooks& hooks) {
  return Run(std::move(recipe), resume, hooks).go();
}

}  // namespace paligemma
