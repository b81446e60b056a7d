// paligemma train-codec: a mask codec of one's own, from masks.
#include <cstdio>

#include "base/error.h"
#include "data/coco_masks.h"
#include "folders.h"
#include "options.h"
#include "signals.h"
#include "train/codec_run.h"

namespace paligemma {
namespace {

struct TrainCodecSettings {
  std::string output, init, measure;
  CodecRunOptions run;
  ModelOptions threads;  // of which only these count
  double validation = 0.1;
  bool force = false;
};

void add_train_codec_options(Arguments& arguments, TrainCodecSettings& settings) {
  const std::string group = "Training";
  CodecRunOptions& run = settings.run;
  arguments.text(group, "-o,--output", "FILE", settings.output, "The codec to write, an .npz");
  arguments.number(group, "--steps", 1, 1 << 24, run.steps, join("Steps (", run.steps, ")"));
  arguments.number(group, "--batch", 1, 4096, run.batch, join("Masks a step (", run.batch, ")"));
  arguments.real(group, "--lr", 1e-8, 1, run.lr, join("The largest learning rate (", run.lr, ")"));
  arguments.number(group, "--width", 8, 1024, run.sizes.channels,
                   join("Channels of the residual blocks (", run.sizes.channels, ")"));
  arguments.number(group, "--embedding", 1, 4096, run.sizes.width, join("Numbers of a code (", run.sizes.width, ")"));
  arguments.number(group, "--codes", 2, 1 << 16, run.sizes.codes,
                   join("Codes; the model's text has 128, and what it has more than here stands for the same again (",
                        run.sizes.codes, ")"));
  arguments.number(group, "--groups", 0, 1 << 16, run.groups,
                   "For many masks of few things: make so many groups of masks that are alike, and learn one map and "
                   "the same codes for all of a group (none)");
  arguments.real(group, "--val", 0, 0.9, settings.validation,
                 join("The part of the masks that is held out to measure the codec (", settings.validation, ")"));
  arguments.number(group, "--seed", 0, std::numeric_limits<std::int64_t>::max(), run.seed,
                   join("What is drawn by chance (", run.seed, ")"));
  arguments.text(group, "--init", "FILE", settings.init, "Go on from this codec, whose sizes count");
  arguments.text(group, "--measure", "FILE", settings.measure,
                 "Measure this codec with all of the masks and train none");
  arguments.flag(group, "--resume", run.resume, "Go on with the run that was ended");
  arguments.flag(group, "--force", settings.force, "Overwrite what is there");
  add_threads_option(arguments, settings.threads);
}

// What there is beside the masks.
struct LeftOut {
  std::vector<UnreadableMask> unreadable{};
  std::int64_t without_mask = 0, crowds = 0;  // of a COCO document
};

// Of a folder of PNG files, or a COCO document.
LeftOut read_masks(const std::filesystem::path& path, MaskSet& masks) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return {.unreadable = read_mask_folder(path, [&](const Mask& mask) { masks.add(mask); })};
  CocoMasks read =
      read_coco_masks(path, [&](const Mask& mask, const std::array<double, 4>& box) { masks.add(mask, box); });
  LeftOut left_out{.without_mask = read.without_mask, .crowds = read.crowds};
  for (Problem& problem : read.problems)
    left_out.unreadable.push_back({std::move(problem.where), join(problem.code, ": ", problem.text)});
  return left_out;
}

void report_masks(const MaskSet& masks, const LeftOut& left_out, Console& console) {
  for (const UnreadableMask& mask : left_out.unreadable)
    console.warning(join("skipped: ", mask.path, ": ", mask.reason));
  const std::size_t held_out = masks.held_out().size();
  std::string text = join(masks.shapes().size() + held_out, " masks, of which ", held_out, " are held out; ",
                          masks.empty(), " empty, ", left_out.unreadable.size(), " unreadable");
  if (left_out.without_mask > 0) text += join(", ", left_out.without_mask, " boxes without a mask");
  if (left_out.crowds > 0) text += join(", ", left_out.crowds, " crowds");
  console.note(text);
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string fixed(double value) {
  char text[16];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

std::string step_text(const CodecRunProgress& progress) {
  char text[64];
  std::snprintf(text, sizeof text, "loss %.4f, %.0f masks/s", progress.loss, progress.masks_per_s);
  return progress.latest ? join(text, ", IoU ", fixed(progress.latest->iou)) : text;
}

std::string result_text(const std::string& output, const CodecRunResult& result, const MaskSet& masks) {
  if (masks.held_out().empty()) return output + "\n";
  const CodecQuality& quality = result.quality;
  return join(output, ": mean IoU ", fixed(quality.iou), " of ", masks.held_out().size(), " held-out masks (least ",
              fixed(quality.least_iou), ")\n", percent(quality.stable),
              " of the codes stay when a mask is turned or moved a little; ", quality.used, " codes are in use\n");
}

// What was not measured is null.
Json result_json(const std::string& output, const CodecRunResult& result, const MaskSet& masks,
                 const LeftOut& left_out) {
  const bool measured = !masks.held_out().empty();
  const CodecQuality& quality = result.quality;
  Json json = {{"schema", "paligemma.train-codec/1"},
               {"output", output},
               {"steps", result.steps},
               {"skipped_steps", result.skipped},
               {"masks", masks.shapes().size()},
               {"held_out", masks.held_out().size()},
               {"empty", masks.empty()},
               {"unreadable", Json::array()},
               {"without_mask", left_out.without_mask},
               {"crowds", left_out.crowds},
               {"iou", measured ? Json(quality.iou) : nullptr},
               {"least_iou", measured ? Json(quality.least_iou) : nullptr},
               {"stable_codes", measured ? Json(quality.stable) : nullptr},
               {"used_codes", measured ? Json(quality.used) : nullptr}};
  for (const UnreadableMask& mask : left_out.unreadable) json["unreadable"].push_back(mask.path);
  return json;
}

CodecRunResult train_with_progress(const TrainCodecSettings& settings, const MaskSet& masks, Session& session) {
  defer_signals(true);
  bool begun = false;
  CodecRunResult result = train_codec(
      masks, settings.run, settings.output,
      [&](const CodecRunProgress& progress) {
        if (!begun) session.console.begin_progress(static_cast<std::size_t>(progress.step - 1));
        begun = true;
        session.console.show_progress(static_cast<std::size_t>(progress.step), static_cast<std::size_t>(progress.steps),
                                      step_text(progress));
      },
      interrupted);
  session.console.hide_progress();
  return result;
}

int run_train_codec(const Command& command, std::span<const std::string> line, Session& session) {
  TrainCodecSettings settings;
  Arguments arguments;
  add_train_codec_options(arguments, settings);
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  if (settings.measure.empty()) {
    require_given(command, "-o", settings.output, "codec.npz");
    if (!settings.force && !settings.run.resume) check_free(settings.output);
    make_folder(std::filesystem::path(settings.output).parent_path());
  } else if (!settings.output.empty()) {
    fail(ErrorKind::usage, "measure", "--measure trains no codec: expected no -o, got ", settings.output);
  }
  settings.run.init = settings.init;
  settings.run.threads = settings.threads.threads;

  MaskSet masks(settings.measure.empty() ? settings.validation : 1, settings.run.seed);
  const LeftOut left_out = read_masks(words->front(), masks);
  report_masks(masks, left_out, session.console);
  CodecRunResult result;
  if (settings.measure.empty()) {
    result = train_with_progress(settings, masks, session);
    if (!result.finished) {
      session.console.note(join("ended behind step ", result.steps, ". Try: --resume"));
      return signal_exit_code();
    }
  } else {
    result.quality = measure_codec(settings.measure, masks, settings.run.threads);
  }
  const std::string& codec = settings.measure.empty() ? settings.output : settings.measure;
  session.output.write(session.output.format == Format::text
                           ? result_text(codec, result, masks)
                           : dump_json(result_json(codec, result, masks, left_out)) + "\n");
  return 0;
}

}  // namespace

const Command kTrainCodec{
    .name = "train-codec",
    .words = "MASKS -o FILE.npz",
    .fewest_words = 1,
    .most_words = 1,
    .summary = "Train a mask codec on masks: a folder of PNG files, or a COCO json",
    .examples =
        "  paligemma train-codec masks/ -o codec.npz\n"
        "  paligemma train-codec instances.json -o codec.npz\n"
        "  paligemma train-codec masks/ -o codec.npz --resume\n"
        "  paligemma train-codec leaves/ --measure vae-oid.npz\n"
        "  paligemma train-codec leaves/ -o leaves.npz --init vae-oid.npz --steps 1000 --lr 1.5e-3\n",
    .run = run_train_codec};

}  // namespace paligemma
