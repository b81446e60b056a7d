#include "train/run_settings.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/error.h"
#include "base/memory.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

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
                        .together = recipe.pack,
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

// Different pictures of a batch in which those about one stand together: one whose last example it is, and then those
// that the fewest examples are about.
std::int64_t most_pictures(const RunData& data, std::int64_t batch) {
  std::vector<std::int64_t> counts;
  for (const auto& group : groups_of(data.data, data.training, true)) counts.push_back(std::ssize(group));
  std::ranges::sort(counts);
  std::int64_t pictures = 1, left = batch - 1;
  for (auto count = counts.begin(); count != counts.end() && left > 0; ++count, ++pictures) left -= *count;
  return pictures;
}

}  // namespace

void settle_recipe(Recipe& recipe, const RunData& data, std::uint64_t parameters) {
  if (recipe.noise_boxes > 0 && std::ranges::none_of(data.training, [&](std::size_t place) {
        const Sample& sample = data.data.samples[place];
        return sample.task == SampleTask::detect && (sample.prefix.empty() || asks_to_detect(sample.prefix));
      }))
    fail(ErrorKind::usage, "noise_boxes",
         "cannot fill up lists of boxes: --noise-boxes: expected objects to detect, got none in the data. Try: boxes "
         "as COCO, VOC, YOLO or LabelMe has them, and --task detect");
  if (recipe.dense_head > 0 && recipe.detect_prompt == "each")
    fail(ErrorKind::usage, "dense_head", "--dense-head is about all that is in a picture: expected --detect-prompt ",
         "classes or every, got each");
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
          std::min(recipe.answer_tokens, static_cast<std::int64_t>(answer / 2 + 8)),
          recipe.pack ? most_pictures(data, recipe.batch) : 0};
}

MemoryPlan settle_memory(Recipe& recipe, const ModelFiles& files, const RunData& data) {
  const PlannedRows rows = planned_rows(data, recipe);
  const std::uint64_t available = available_memory();
  const MemoryPlan plan = settle_checkpointing(recipe, files, rows, available);
  require_plan(plan, recipe, files, rows, available);
  return plan;
}

LoaderOptions training_loader(const Recipe& recipe, const Trainee& trainee) {
  LoaderOptions options = loader_options(recipe, trainee.files, *trainee.pipeline);
  if (recipe.pack && options.augment.any())
    fail(ErrorKind::usage, "pack", "--pack needs pictures that stay the same: expected no --augment, got ",
         recipe.augment);
  // A step's examples while the step before runs, if they are small.
  constexpr std::int64_t kMostBytes = std::int64_t{64} << 20;
  const std::int64_t most = kMostBytes / (std::int64_t{3} * options.side * options.side);
  options.ahead = std::max(options.ahead, static_cast<int>(std::min(recipe.batch * recipe.accumulate, most)));
  return options;
}

TokenizeOptions tokenize_options(const Recipe& recipe, const Pipeline& pipeline) {
  return {.image_tokens = static_cast<int>(pipeline.config.vision.tokens()),
          .weights = parse_token_weights(recipe.token_weights),
          .answer_tokens = recipe.answer_tokens};
}

ObjectiveOptions objective_options(const Recipe& recipe, const Trainee& trainee, std::size_t arena_bytes) {
  const Pipeline& pipeline = *trainee.pipeline;
  ObjectiveOptions options{.precision = holding_of(pipeline.options).precision,
                           .image_token = *pipeline.tokenizer->image(),
                           .smoothing = static_cast<float>(recipe.label_smoothing),
                           .keep = recipe.checkpointing == "off" ? Keep::intermediates : Keep::inputs,
                           .tower_trained = !trainee.tower_is_frozen(),
                           .dense = trainee.dense ? &*trainee.dense : nullptr,
                           .arena_bytes = arena_bytes};
  if (recipe.soft_loc > 0)
    options.soft = soft_locs(*pipeline.tokenizer, pipeline.config.loc_divisor,
                             static_cast<int>(pipeline.config.vision.image_size()), recipe.soft_loc);
  return options;
}

ValidationOptions evaluation_options(const Recipe& recipe, const ModelFiles& files, const Pipeline& pipeline) {
  ValidationOptions options{.loader = loader_options(recipe, files, pipeline), .answer_tokens = recipe.answer_tokens};
  options.loader.augment = {};
  options.loader.shuffle = options.loader.target.shuffle = false;
  options.tokens = tokenize_options(recipe, pipeline);
  options.tokens.weights = {};
  return options;
}

}  // namespace paligemma
