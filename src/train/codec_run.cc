#include "train/codec_run.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "detect/mask_codec.h"
#include "io/json.h"
#include "io/npz_writer.h"
#include "io/output_folder.h"
#include "train/codec_batches.h"
#include "train/codec_state.h"
#include "train/run_log.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

// Of the steps: the ends of the first two phases.
constexpr double kFeaturesPart = 0.05, kCodesPart = 0.8, kGroupedCodesPart = 0.6;
constexpr double kLeastRate = 0.02, kDecoderRate = 0.5;  // of the largest one
constexpr std::int64_t kWarmup = 30, kDecoderWarmup = 10;
constexpr std::int64_t kEvaluations = 10, kSaveEvery = 100;
constexpr std::int64_t kMostSkipped = 20;  // one after the other
constexpr int kFirstMaps = 128;            // whose features the codebook begins with

// The parts of a seed.
enum Stream : std::uint64_t { kWeights, kBatches, kFirstCodes, kMovedCodes };

struct Plan {
  std::int64_t steps = 0, features = 0, codes = 0;
  CodecPhase last = CodecPhase::decoder;

  explicit Plan(const CodecRunOptions& options)
      : steps(options.steps),
        features(part(kFeaturesPart)),
        codes(std::max<std::int64_t>(1, part(options.groups > 0 ? kGroupedCodesPart : kCodesPart))),
        last(options.groups > 0 ? CodecPhase::choices : CodecPhase::decoder) {}

  std::int64_t part(double share) const { return static_cast<std::int64_t>(static_cast<double>(steps) * share); }
  CodecPhase phase(std::int64_t step) const {
    return step < features ? CodecPhase::features : step < codes ? CodecPhase::codes : last;
  }
  double rate(std::int64_t step) const {
    if (step >= codes)
      return kDecoderRate * schedule_factor(Schedule::cosine, step - codes, steps - codes, kDecoderWarmup);
    return kLeastRate + (1 - kLeastRate) * schedule_factor(Schedule::cosine, step, codes, kWarmup);
  }
};

// What must be the same for a run to go on.
Json settings_of(const CodecRunOptions& options, const MaskSet& masks, const CodecTrainer& trainer) {
  const CodecNetwork& network = trainer.network();
  return {{"schema", "paligemma.codec-run/1"},
          {"steps", options.steps},
          {"batch", options.batch},
          {"lr", options.lr},
          {"codes", trainer.learned_codes()},
          {"embedding", network.width},
          {"groups", options.groups},
          {"width", network.encoder.back().layers[0].convolution.in},
          {"seed", options.seed},
          {"init", options.init.string()},
          {"masks", masks.shapes().size()},
          {"held_out", masks.held_out().size()},
          {"fingerprint", masks.fingerprint()}};
}

// The place of the first setting that differs.
void require_same(const Json& settings, const fs::path& path) {
  const FileBytes file = FileBytes::read(path, ErrorKind::usage, std::size_t{1} << 20);
  const Json begun = parse_json(file.text(), path.string(), ErrorKind::usage);
  for (const auto& [key, value] : settings.items()) {
    const Json before = begun.is_object() && begun.contains(key) ? begun[key] : Json();
    if (before != value)
      fail(ErrorKind::usage, "resume", "resuming a run: ", path.string(), ": ", key, ": expected ", dump_json(before),
           " as it was begun with, got ", dump_json(value));
  }
}

CodecFile read_arrays(const fs::path& file) {
  return read_codec_file(FileBytes::map(file, ErrorKind::model), file.string());
}

CodecFile first_arrays(const CodecRunOptions& options) {
  return options.init.empty() ? make_codec_file(options.sizes, splitmix64(options.seed, kWeights))
                              : read_arrays(options.init);
}

void write_codec(const CodecTrainer& trainer, const fs::path& output) {
  std::vector<StreamedArray> arrays;
  const std::vector<CodecTrainer::Array> values = trainer.arrays();
  for (const CodecTrainer::Array& array : values)
    arrays.push_back({.name = array.name,
                      .shape = array.shape,
                      .pieces = 1,
                      .piece = [&array](std::size_t) { return std::as_bytes(std::span(array.values)); },
                      .done = [] {}});
  OutputFolder folder(output.has_parent_path() ? output.parent_path() : fs::path("."));
  write_npz(folder.path(output.filename().string()), arrays, output.string());
  folder.commit(true);
}

class CodecRun {
 public:
  CodecRun(const MaskSet& masks, const CodecRunOptions& options, const fs::path& output)
      : masks_(masks),
        options_(options),
        folder_(codec_run_folder(output)),
        pool_(options.threads),
        backend_(make_cpu_backend({.threads = options.threads})),
        arrays_(first_arrays(options)),
        trainer_(arrays_, options.init.empty() ? "the new codec" : options.init.string(), *backend_,
                 batches_.groups() ? batches_.groups()->count() : 0),
        log_(begin()) {}

  CodecRunResult run(const std::function<void(const CodecRunProgress&)>& progress, const std::function<bool()>& stop);

  const CodecTrainer& trainer() const { return trainer_; }

 private:
  fs::path state_path() const { return folder_ / "state.safetensors"; }
  RunLog begin();
  void save() { write_codec_state(trainer_, step_, state_path()); }
  CodecStep learn();

  const MaskSet& masks_;
  const CodecRunOptions& options_;
  Plan plan_{options_};
  fs::path folder_;
  ThreadPool pool_;
  CodecBatches batches_{masks_, options_.groups, options_.seed, pool_};
  std::unique_ptr<Backend> backend_;
  CodecFile arrays_;
  CodecTrainer trainer_;
  std::int64_t step_ = 0;  // done
  RunLog log_;
};

RunLog CodecRun::begin() {
  const Json settings = settings_of(options_, masks_, trainer_);
  const fs::path begun = folder_ / "run.json";
  std::error_code error;
  if (options_.resume && fs::exists(begun, error)) {
    require_same(settings, begun);
    if (fs::exists(state_path(), error))
      step_ = read_codec_state(trainer_, FileBytes::map(state_path(), ErrorKind::model), state_path().string());
    return RunLog::resume(folder_ / "log.jsonl", step_);
  }
  fs::create_directories(folder_, error);
  fs::remove(state_path(), error);
  const std::string text = dump_json(settings) + "\n";
  write_file(begun, std::as_bytes(std::span(text)), true);
  return RunLog::create(folder_ / "log.jsonl");
}

CodecStep CodecRun::learn() {
  const auto seed = [&](Stream stream) {
    return splitmix64(splitmix64(options_.seed, stream), static_cast<std::uint64_t>(step_));
  };
  // A codec that is gone on from has its codes.
  const bool fresh = options_.init.empty();
  if (fresh && step_ == plan_.features)
    trainer_.start_codes(batches_.draw(kFirstMaps, seed(kFirstCodes)).maps, seed(kFirstCodes));
  CodecPhase phase = plan_.phase(step_);
  if (phase == CodecPhase::features && !fresh) phase = CodecPhase::codes;
  if (phase == CodecPhase::choices && step_ == plan_.codes) trainer_.keep_codes(batches_.groups()->means());
  const CodecBatch batch = batches_.draw(options_.batch, seed(kBatches));
  return trainer_.step(batch.maps, phase, options_.lr * plan_.rate(step_), seed(kMovedCodes), batch.groups);
}

CodecRunResult CodecRun::run(const std::function<void(const CodecRunProgress&)>& progress,
                             const std::function<bool()>& stop) {
  using Clock = std::chrono::steady_clock;
  CodecRunResult result;
  CodecRunProgress shown{.steps = options_.steps};
  std::int64_t skipped = 0;
  const std::int64_t evaluate_every = std::max<std::int64_t>(1, options_.steps / kEvaluations);
  while (step_ < options_.steps && !stop()) {
    const auto start = Clock::now();
    const CodecStep learned = learn();
    const double rate = options_.lr * plan_.rate(step_);
    ++step_;
    shown.step = step_;
    shown.loss = learned.loss;
    shown.masks_per_s = options_.batch / std::chrono::duration<double>(Clock::now() - start).count();
    log_.add({.step = step_,
              .loss = learned.loss,
              .grad_norm = learned.gradient_norm,
              .lr = rate,
              .examples_per_s = shown.masks_per_s,
              .skipped = learned.skipped});
    skipped = learned.skipped ? skipped + 1 : 0;
    result.skipped += learned.skipped;
    if (skipped >= kMostSkipped)
      fail(ErrorKind::failure, "diverged", "training a mask codec: step ", step_, ": ", skipped,
           " steps in a row whose numbers are not finite. Try: a smaller --lr");
    if (!masks_.held_out().empty() && (step_ % evaluate_every == 0 || step_ == options_.steps)) {
      shown.latest = measure_codec(trainer_, masks_);
      log_.add({.step = step_, .metrics = {{"iou", shown.latest->iou}, {"stable", shown.latest->stable}}});
    }
    if (step_ % kSaveEvery == 0) save();
    progress(shown);
  }
  save();
  result.steps = step_;
  result.finished = step_ == options_.steps;
  if (result.finished && !masks_.held_out().empty()) result.quality = measure_codec(trainer_, masks_);
  return result;
}

}  // namespace

fs::path codec_run_folder(const fs::path& output) { return output.string() + ".run"; }

CodecRunResult train_codec(const MaskSet& masks, const CodecRunOptions& options, const fs::path& output,
                           const std::function<void(const CodecRunProgress&)>& progress,
                           const std::function<bool()>& stop) {
  if (masks.shapes().empty())
    fail(ErrorKind::input, "no_masks", "training a mask codec: expected masks to train on, got none, ", masks.empty(),
         " empty");
  CodecRun run(masks, options, output);
  const CodecRunResult result = run.run(progress, stop);
  if (result.finished) write_codec(run.trainer(), output);
  return result;
}

CodecQuality measure_codec(const fs::path& file, const MaskSet& masks, int threads) {
  if (masks.held_out().empty())
    fail(ErrorKind::input, "no_masks", "measuring a mask codec: expected masks, got none, ", masks.empty(), " empty");
  const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = threads});
  const CodecFile arrays = read_arrays(file);
  CodecTrainer codec(arrays, file.string(), *backend);
  return measure_codec(codec, masks);
}

}  // namespace paligemma
