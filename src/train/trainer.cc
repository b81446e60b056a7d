#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>

#include "base/error.h"
#include "base/memory.h"
#include "eval/average_precision.h"
#include "io/output_folder.h"
#include "text/prompt.h"
#include "train/event_file.h"
#include "train/run_log.h"
#include "train/run_report.h"
#include "train/sample_picture.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMostSkipped = 20;            // steps in a row without a finite gradient
constexpr std::uint64_t kFeatureBytes = 1ull << 30;  // of kept vision features
constexpr const char* kRecipeFile = "recipe.toml";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

DatasetOptions dataset_options(const Recipe& recipe) {
  DatasetOptions options{.pictures = recipe.images, .prefix = recipe.prefix};
  if (recipe.task == "detect") options.task = SampleTask::detect;
  if (recipe.task == "segment") options.task = SampleTask::segment;
  return options;
}

// For the loader's threads: a codec of its own, which one of them uses at a time. Nothing without an encoder.
MaskEncoder mask_encoder(const ModelFiles& files, const Recipe& recipe) {
  struct Own {
    std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
    std::optional<MaskCodec> codec{};
    std::mutex busy{};
  };
  auto found = find_codec(files, recipe.codec);
  if (!found) return {};
  auto own = std::make_shared<Own>();
  own->codec = MaskCodec::read(std::move(found->file), found->where, *own->backend);
  if (!own->codec->has_encoder()) return {};
  return [own](const Mask& mask, const std::array<double, 4>& box) {
    const std::lock_guard lock(own->busy);
    return own->codec->encode(mask, box);
  };
}

LoaderOptions loader_options(const Recipe& recipe, const ModelFiles& files, const Pipeline& pipeline) {
  LoaderOptions options{.side = static_cast<int>(pipeline.config.vision.image_size()),
                        .filter = pipeline.preprocessor.filter,
                        .augment = parse_augment(recipe.augment),
                        .shuffle = recipe.shuffle,
                        .seed = static_cast<std::uint64_t>(recipe.seed),
                        .threads = static_cast<int>(recipe.threads)};
  TargetOptions& target = options.target;
  if (recipe.detect_prompt == "every") target.asked = TargetOptions::Asked::every;
  target.shuffle = recipe.shuffle;
  target.fill_to = pipeline.config.noise_boxes;
  target.noise = noise_label(*pipeline.tokenizer);
  target.divisor = pipeline.config.loc_divisor;
  target.encode = mask_encoder(files, recipe);
  return options;
}

// What the vision tower makes of pictures that come again, by sample.
class FeatureStore {
 public:
  explicit FeatureStore(bool used) : used_(used) {}
  bool used() const { return used_; }
  const std::vector<float>* find(std::size_t sample) const {
    const auto found = features_.find(sample);
    return found == features_.end() ? nullptr : &found->second;
  }
  void keep(std::size_t sample, std::span<const float> features) {
    if (bytes_ + features.size_bytes() > kFeatureBytes) return;
    bytes_ += features.size_bytes();
    features_.emplace(sample, std::vector<float>(features.begin(), features.end()));
  }

 private:
  bool used_;
  std::uint64_t bytes_ = 0;
  std::map<std::size_t, std::vector<float>> features_;
};

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
  void resume();
  void step();
  std::vector<Example> next_examples();
  Batch make_batch(std::span<const Example> examples, std::span<const TokenExample> tokens);
  void evaluate();
  void report(const std::vector<ValidationAnswer>& answers);
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
  std::optional<FeatureStore> features_;
  ValidationOptions validation_;
  TokenizeOptions tokens_;
  RunPosition position_;
  RunProgress progress_;
  RunResult result_;
  std::vector<ReportSample> samples_;
  std::int64_t cut_ = 0;  // answers that were longer than they may be
};

void Run::begin() {
  data_ = open_run_data(recipe_, hooks_);
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
  if (recipe_.mode == "full" && !recipe_.init.empty())
    fail(ErrorKind::usage, "init", "--init goes on from an adapter: expected --mode lora or qlora, got full. Try: -m ",
         recipe_.init);
  ModelFiles files = find_model(recipe_.model);
  settle_recipe(recipe_, data_, parameter_count(files.config));
  const MemoryPlan plan = settle_memory(recipe_, files, data_);
  trainee_ = open_trainee(recipe_, std::move(files), recipe_.mode == "full" ? fs::path() : adapter);
  Pipeline& pipeline = *trainee_->pipeline;

  objective_.emplace(*pipeline.backend, pipeline.config, pipeline.network,
                     objective_options(recipe_, *trainee_, plan.activations));
  const LoaderOptions loading = training_loader(recipe_, *trainee_);
  loader_.emplace(data_.data, data_.training, loading);
  tokens_ = {.image_tokens = static_cast<int>(pipeline.config.vision.tokens()),
             .weights = parse_token_weights(recipe_.token_weights),
             .answer_tokens = recipe_.answer_tokens};
  validation_ = evaluation_options(recipe_, trainee_->files, pipeline);
  validation_.places = data_.validation;
  if (std::ssize(validation_.places) > recipe_.eval_limit) validation_.places.resize(std::size_t(recipe_.eval_limit));
  features_.emplace(trainee_->tower_is_frozen() && !loading.augment.any());

  if (resume_) return resume();
  std::error_code error;
  fs::create_directories(out_, error);
  const std::string text = write_recipe(recipe_);
  OutputFolder folder(out_);
  folder.write(kRecipeFile, text);
  folder.commit(true);
  position_.data = fingerprint(data_.data);
  log_.emplace(RunLog::create(out_ / "log.jsonl"));
  events_.emplace(out_, 0, now());
}

void Run::resume() {
  const fs::path checkpoint = last_checkpoint(out_);
  position_ = read_position(checkpoint);
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

// Of pictures that several examples of a batch ask about, one is seen.
Batch Run::make_batch(std::span<const Example> examples, std::span<const TokenExample> tokens) {
  Pipeline& pipeline = *trainee_->pipeline;
  Batch batch{.examples = {tokens.begin(), tokens.end()}};
  const bool same = !parse_augment(recipe_.augment).any();
  std::map<std::string, std::int64_t> seen;
  std::vector<std::vector<float>> parts;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::string& name = data_.data.samples[examples[i].sample].picture.name;
    const auto found = same ? seen.find(name) : seen.end();
    std::int64_t number = std::ssize(parts);
    if (found != seen.end()) {
      number = found->second;
    } else {
      if (same) seen.emplace(name, number);
      const std::vector<float>* kept = features_->used() ? features_->find(examples[i].sample) : nullptr;
      if (kept) {
        parts.push_back(*kept);
      } else {
        std::vector<float> patches = patches_of(pipeline, examples[i].picture);
        if (features_->used()) {
          const VisionConfig& vision = pipeline.config.vision;
          std::vector<float> features =
              objective_->features({patches.data(), vision.tokens(), vision.patch_values()}, trainee_->adapter_set());
          features_->keep(examples[i].sample, features);
          parts.push_back(std::move(features));
        } else {
          parts.push_back(std::move(patches));
        }
      }
    }
    batch.examples[i].pictures = {number};
  }
  std::vector<float>& numbers = features_->used() ? batch.features : batch.patches;
  for (const std::vector<float>& part : parts) numbers.insert(numbers.end(), part.begin(), part.end());
  return batch;
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
  double loss = 0;
  const auto batch_size = static_cast<std::size_t>(recipe_.batch);
  for (std::size_t first = 0; first < examples.size(); first += batch_size) {
    const std::size_t count = std::min(batch_size, examples.size() - first);
    const Batch batch = make_batch(std::span(examples).subspan(first, count), std::span(tokens).subspan(first, count));
    const LoraDropout dropout{static_cast<float>(recipe_.dropout),
                              seed_of(static_cast<std::uint64_t>(recipe_.seed), 1,
                                      static_cast<std::uint64_t>(position_.step) * examples.size() + first)};
    loss += objective_
                ->run(
                    batch, std::span(weights).subspan(first, count), trainee_->adapter_set(),
                    [&](Tape& tape) { trainee_->train_on(tape); }, dropout)
                .loss;
  }
  trainee_->finish_gradients();
  const Schedule schedule = recipe_.schedule == "constant" ? Schedule::constant
                            : recipe_.schedule == "linear" ? Schedule::linear
                                                           : Schedule::cosine;
  const double factor = schedule_factor(schedule, position_.step, recipe_.steps, recipe_.warmup);
  StepResult done;
  if (std::isfinite(loss))
    done = trainee_->optimizer->step({.lr = recipe_.lr * factor, .lr_adamw = recipe_.lr_adamw * factor});
  else
    done = {NAN, true};
  if (!done.skipped) trainee_->place();
  ++position_.step;
  position_.skipped += done.skipped ? 1 : 0;
  position_.skipped_in_row = done.skipped ? position_.skipped_in_row + 1 : 0;

  const double rate = static_cast<double>(examples.size()) / seconds_since(start);
  log_->add(LoggedStep{position_.step, loss, done.gradient_norm, recipe_.lr * factor, rate, done.skipped});
  events_->add_scalar("train/loss", position_.step, loss, now());
  events_->add_scalar("train/grad_norm", position_.step, done.gradient_norm, now());
  events_->add_scalar("train/lr", position_.step, recipe_.lr * factor, now());
  progress_.step = position_.step, progress_.steps = recipe_.steps;
  progress_.loss = loss, progress_.pictures_per_s = rate, progress_.skipped = position_.skipped;
  hooks_.progress(progress_);
  result_.loss = loss;
  if (position_.skipped_in_row >= kMostSkipped)
    fail(ErrorKind::failure, "diverged", "the run cannot go on: loss or gradients were no finite numbers in ",
         position_.skipped_in_row, " steps in a row. Try: a smaller --lr, or --compute f32; ",
         (out_ / kLastLink).string(), " is the last good state");
}

void Run::evaluate() {
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
  if (position_.step > 0) save_checkpoint(out_, *trainee_, position_, best, recipe_.keep, recipe_.save_type);
}

void Run::report(const std::vector<ValidationAnswer>& answers) {
  const bool first = samples_.empty();
  for (std::size_t i = 0; i < answers.size() && i < validation_.drawn; ++i) {
    const ValidationAnswer& one = answers[i];
    if (first) samples_.push_back({.prompt = one.target.prefix, .target = one.target.text()});
    if (i >= samples_.size()) break;
    ReportSample& sample = samples_[i];
    std::vector<std::byte> drawn = sample_picture(one.truth.picture, one.result);
    if (position_.step == 0) {
      sample.before = one.result.text;
      sample.before_picture = std::move(drawn);
    } else {
      sample.after = one.result.text;
      sample.after_picture = std::move(drawn);
    }
  }
  RunReport report{.title = out_.string(),
                   .state = join("step ", position_.step, " of ", recipe_.steps),
                   .facts = {{"data", data_.summary},
                             {"model", trainee_->pipeline->info.name},
                             {"mode", recipe_.mode},
                             {"optimizer", recipe_.optimizer},
                             {"examples a step", std::to_string(recipe_.batch * recipe_.accumulate)}},
                   .samples = samples_};
  write_report(out_ / "report.html", report, log_->history());
}

RunResult Run::go() {
  begin();
  const bool validates = !validation_.places.empty();
  if (!resume_ && validates) evaluate();
  while (position_.step < recipe_.steps) {
    step();
    const bool stopping = hooks_.stop && hooks_.stop();
    const bool last = position_.step == recipe_.steps;
    if (validates && (last || due(recipe_.eval_every)) && !stopping) {
      evaluate();
      if (recipe_.patience > 0 && position_.worse >= recipe_.patience) {
        result_.stopped = "patience";
        break;
      }
    } else if (last || stopping || due(recipe_.save_every)) {
      save_checkpoint(out_, *trainee_, position_, false, recipe_.keep, recipe_.save_type);
    }
    if (stopping) {
      result_.stopped = "interrupted";
      break;
    }
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

LoaderOptions training_loader(const Recipe& recipe, const Trainee& trainee) {
  return loader_options(recipe, trainee.files, *trainee.pipeline);
}

ObjectiveOptions objective_options(const Recipe& recipe, const Trainee& trainee, std::size_t arena_bytes) {
  return {.precision = holding_of(trainee.pipeline->options).precision,
          .image_token = *trainee.pipeline->tokenizer->image(),
          .smoothing = static_cast<float>(recipe.label_smoothing),
          .keep = recipe.checkpointing == "off" ? Keep::intermediates : Keep::inputs,
          .tower_trained = !trainee.tower_is_frozen(),
          .arena_bytes = arena_bytes};
}

ValidationOptions evaluation_options(const Recipe& recipe, const ModelFiles& files, const Pipeline& pipeline) {
  ValidationOptions options{.loader = loader_options(recipe, files, pipeline), .answer_tokens = recipe.answer_tokens};
  options.loader.augment = {};
  options.loader.shuffle = options.loader.target.shuffle = false;
  options.tokens = {.image_tokens = static_cast<int>(pipeline.config.vision.tokens()),
                    .answer_tokens = recipe.answer_tokens};
  return options;
}

Dataset open_eval_data(const Recipe& recipe) {
  Dataset data = open_dataset(recipe.data, dataset_options(recipe));
  if (recipe.detect_prompt == "each") data.samples = split_by_class(std::move(data.samples));
  return data;
}

RunData open_run_data(const Recipe& recipe, const RunHooks&) {
  const DatasetOptions options = dataset_options(recipe);
  RunData run;
  run.data = open_eval_data(recipe);
  char* end = nullptr;
  const double share = recipe.val.empty() ? 0.1 : std::strtod(recipe.val.c_str(), &end);
  const bool is_share = recipe.val.empty() || (end && *end == '\0' && share >= 0 && share < 1);
  if (!is_share) {
    Dataset held_out = open_dataset(recipe.val, options);
    for (Sample& sample : run.data.samples) sample.split = Split::train;
    for (Sample& sample : held_out.samples) {
      sample.split = Split::validation;
      sample.id = "val/" + sample.id;
      run.data.samples.push_back(std::move(sample));
    }
  } else if (share > 0) {
    hold_out(run.data, share, static_cast<std::uint64_t>(recipe.seed));
  } else {
    for (Sample& sample : run.data.samples)
      if (sample.split == Split::none) sample.split = Split::train;
  }
  run.training = places_of(run.data, Split::train);
  run.validation = places_of(run.data, Split::validation);
  run.summary = summary(run.data, {});
  return run;
}

void settle_recipe(Recipe& recipe, const RunData& data, std::uint64_t parameters) {
  if (recipe.noise_boxes > 0 && std::ranges::none_of(data.training, [&](std::size_t place) {
        const Sample& sample = data.data.samples[place];
        return sample.task == SampleTask::detect && (sample.prefix.empty() || asks_to_detect(sample.prefix));
      }))
    fail(ErrorKind::usage, "noise_boxes",
         "cannot fill up lists of boxes: --noise-boxes: expected objects to detect, got none in the data. Try: boxes "
         "as ",
         "COCO, VOC, YOLO or LabelMe has them, and --task detect");
  const std::int64_t per_step = recipe.batch * recipe.accumulate;
  const double steps_of_epoch = static_cast<double>(data.training.size()) / static_cast<double>(per_step);
  if (recipe.steps == 0) {
    if (recipe.epochs == 0) recipe.epochs = 10;
    recipe.steps = std::max<std::int64_t>(1, std::llround(recipe.epochs * steps_of_epoch));
  }
  if (recipe.warmup < 0) recipe.warmup = recipe.steps / 20;
  if (recipe.eval_every == 0) recipe.eval_every = std::max<std::int64_t>(1, std::llround(steps_of_epoch));
  if (recipe.lr == 0) {
    // The published rates of full training fall with the size of the model; LoRA takes some 20 times as much.
    constexpr double kBillion = 1e9;
    const auto size = static_cast<double>(parameters);
    const bool full = recipe.mode == "full";
    recipe.lr = size > 15 * kBillion    ? (full ? 1e-6 : 2e-5)
                : size > 5 * kBillion   ? (full ? 3e-6 : 5e-5)
                : size > 0.5 * kBillion ? (full ? 5e-6 : 1e-4)
                                        : (full ? 3e-4 : 2e-3);
    if (recipe.optimizer == "muon") recipe.lr = 0.01;
  }
  if (recipe.lr_adamw == 0) recipe.lr_adamw = recipe.optimizer == "muon" ? recipe.lr / 10 : recipe.lr;
}

PlannedRows planned_rows(const RunData& data, const Recipe& recipe) {
  constexpr std::size_t kNoiseBytes = 14;  // two for each token: four loc, the name and a separator of two
  // Of bytes: a token has at least one.
  std::size_t prompt = 0, answer = 0;
  std::string classes;
  for (const std::string& name : data.data.classes) classes += name + " ; ";
  for (const std::size_t place : data.training) {
    const Sample& sample = data.data.samples[place];
    prompt = std::max(prompt, sample.prefix.size() + (sample.objects.empty() ? 0 : classes.size()));
    std::size_t length = 0;
    for (const std::string& text : sample.answers) length = std::max(length, text.size());
    if (sample.task != SampleTask::text)
      for (const SampleObject& object : sample.objects)
        length += object.label.size() + 6 + (sample.task == SampleTask::detect ? 0 : 16);
    const auto boxes = static_cast<std::int64_t>(sample.objects.size());
    if (sample.task == SampleTask::detect && boxes < recipe.noise_boxes)
      length += static_cast<std::size_t>(recipe.noise_boxes - boxes) * kNoiseBytes;
    answer = std::max(answer, length);
  }
  // A piece of text is some four letters long.
  return {static_cast<std::int64_t>(prompt / 4 + 8),
          std::min(recipe.answer_tokens, static_cast<std::int64_t>(answer / 2 + 8))};
}

MemoryPlan settle_memory(Recipe& recipe, const ModelFiles& files, const RunData& data) {
  const PlannedRows rows = planned_rows(data, recipe);
  const std::uint64_t available = available_memory();
  const MemoryPlan plan = settle_checkpointing(recipe, files, rows, available);
  require_plan(plan, recipe, files, rows, available);
  return plan;
}

RunResult train(Recipe recipe, bool resume, const RunHooks& hooks) {
  return Run(std::move(recipe), resume, hooks).go();
}

}  // namespace paligemma
