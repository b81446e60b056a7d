#include "data/target.h"

#include <algorithm>

#include "base/error.h"
#include "detect/loc.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr std::string_view kBetween = " ; ";

std::string list_of(std::string_view verb, std::span<const std::string> classes, TargetOptions::Asked asked) {
  std::string text(verb);
  if (asked == TargetOptions::Asked::every || classes.empty()) return text.append(" ").append(kAllClasses);
  for (std::size_t i = 0; i < classes.size(); ++i) text.append(i == 0 ? " " : kBetween).append(classes[i]);
  return text;
}

std::string without_newlines(std::string text) {
  text.erase(text.find_last_not_of("\r\n") + 1);
  return text;
}

std::string prefix_text(const DecodedSample& sample, std::span<const std::string> classes,
                        const TargetOptions& options) {
  const bool given = !sample.prefix.empty();
  switch (sample.task) {
    case SampleTask::caption: return given ? sample.prefix : "caption " + options.language;
    case SampleTask::answer: return "answer " + options.language + " " + sample.prefix;
    case SampleTask::detect: return given ? sample.prefix : list_of("detect", classes, options.asked);
    case SampleTask::segment: return given ? sample.prefix : list_of("segment", classes, options.asked);
    case SampleTask::refer:
      return options.referring == TargetOptions::Referring::segment ? "segment " + sample.prefix : sample.prefix;
    case SampleTask::text: break;
  }
  return sample.prefix;
}

// A box too thin for the grid of loc numbers still has an area: one without is read as none.
std::array<int, 4> target_loc(const std::array<double, 4>& box, const Frame& frame) {
  std::array<int, 4> loc = loc_of(box, frame);
  for (std::size_t i = 0; i < 2; ++i) {
    if (loc[i] < loc[i + 2]) continue;
    loc[i + 2] = std::min(loc[i] + 1, 1023);
    loc[i] = loc[i + 2] - 1;
  }
  return loc;
}

std::optional<std::array<int, 16>> target_seg(const DecodedObject& object, SampleTask task,
                                              const TargetOptions& options) {
  if (task == SampleTask::detect) return {};
  if (object.seg) return object.seg;
  if (!object.mask) return {};
  if (!options.encode)
    fail(ErrorKind::usage, "mask",
         "cannot make targets of masks: expected a codec with an encoder, got none. Try: --codec");
  return options.encode(*object.mask, object.box);
}

TargetPiece noise_box(Dice& dice) {
  std::array<int, 4> loc;
  for (std::size_t i = 0; i < 2; ++i) {
    loc[i] = static_cast<int>(dice.below(1023));
    loc[i + 2] = loc[i] + 1 + static_cast<int>(dice.below(static_cast<std::size_t>(1023 - loc[i])));
  }
  return {.text = loc_text(loc), .weight = 0};
}

// Pieces are cut around the loc tokens of noise only.
std::vector<TargetPiece> objects_suffix(const DecodedSample& sample, std::string_view prefix,
                                        const TargetOptions& options, Dice& dice) {
  const Frame frame{.width = sample.picture.width, .height = sample.picture.height, .divisor = options.divisor};
  std::vector<std::string> objects;
  for (const DecodedObject& object : sample.objects) {
    std::string_view label = object.label;
    if (sample.task == SampleTask::refer)
      label = options.referring == TargetOptions::Referring::segment ? std::string_view(sample.prefix) : "";
    objects.push_back(object_text(target_loc(object.box, frame), target_seg(object, sample.task, options), label));
  }
  if (options.shuffle) dice.shuffle(objects);
  std::vector<TargetPiece> pieces{{.text = join_objects(objects)}};
  if (sample.task != SampleTask::detect || !asks_to_detect(prefix)) return pieces;
  for (int count = static_cast<int>(objects.size()); count < options.fill_to; ++count) {
    if (!pieces.back().text.empty()) pieces.back().text += kBetween;
    pieces.push_back(noise_box(dice));
    pieces.push_back({.text = options.noise});
  }
  std::erase_if(pieces, [](const TargetPiece& piece) { return piece.text.empty(); });
  return pieces;
}

std::string chosen_answer(const std::vector<std::string>& answers, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<const std::string*> order;
  for (const std::string& answer : answers)
    if (answer.find_first_not_of(" \t\r\n") != answer.npos) order.push_back(&answer);
  if (order.empty()) return {};
  Dice(seed).shuffle(order);
  return *order[epoch % order.size()];
}

}  // namespace

std::string Target::text() const {
  std::string text;
  for (const TargetPiece& piece : suffix) text += piece.text;
  return text;
}

Target make_target(const DecodedSample& sample, std::span<const std::string> classes, const TargetOptions& options,
                   Dice& dice, std::uint64_t answer_seed, std::uint64_t epoch) {
  Target target{.prefix = without_newlines(prefix_text(sample, classes, options))};
  if (sample.task == SampleTask::detect || sample.task == SampleTask::segment || sample.task == SampleTask::refer) {
    target.suffix = objects_suffix(sample, target.prefix, options, dice);
  } else {
    target.suffix = {{.text = chosen_answer(sample.answers, answer_seed, epoch)}};
  }
  return target;
}

std::string object_text(const std::array<int, 4>& loc, const std::optional<std::array<int, 16>>& seg,
                        std::string_view label) {
  std::string text = loc_text(loc);
  if (seg)
    for (const int code : *seg) {
      const std::string digits = std::to_string(code);
      text += "<seg" + std::string(3 - std::min<std::size_t>(digits.size(), 3), '0') + digits + ">";
    }
  if (!label.empty()) text.append(" ").append(label);
  return text;
}

std::string join_objects(std::span<const std::string> objects) {
  std::string text;
  for (std::size_t i = 0; i < objects.size(); ++i) text.append(i == 0 ? "" : kBetween).append(objects[i]);
  return text;
}

std::vector<Sample> split_by_class(std::vector<Sample> samples) {
  std::vector<Sample> split;
  for (Sample& sample : samples) {
    const bool finds = sample.task == SampleTask::detect || sample.task == SampleTask::segment;
    std::vector<std::string> labels;
    for (const SampleObject& object : sample.objects)
      if (!object.crowd && std::ranges::find(labels, object.label) == labels.end()) labels.push_back(object.label);
    if (!finds || labels.empty()) {
      split.push_back(std::move(sample));
      continue;
    }
    for (const std::string& label : labels) {
      Sample& one = split.emplace_back(sample);
      one.id += "/" + label;
      one.prefix = join(task_name(sample.task), " ", label);
      std::erase_if(one.objects, [&](const SampleObject& object) { return object.label != label; });
    }
  }
  return split;
}

}  // namespace paligemma
