// paligemma quantize: a model with weights of 8 and 4 bits, in one file.
#include "quantize/quantize.h"

#include "base/error.h"
#include "comparison.h"
#include "model_writer.h"
#include "options.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

struct QuantizeSettings {
  QuantizeOptions options;
  std::optional<QuantType> type;
  std::vector<std::string> images;  // of the gate
  std::string labels = kComparedLabels;
};

void add_quantize_options(Arguments& arguments, QuantizeSettings& settings) {
  const std::string group = "Quantisation";
  arguments.choice<std::optional<QuantType>>(
      group, "--type", settings.type, {{"q8", QuantType::q8}, {"q4", QuantType::q4}, {"mixed", QuantType::mixed}},
      "q8, q4 (vision and projector q8), or mixed (as q4, but embedding, head and attention q8)");
  arguments.text(group, "--tokenizer", "PATH", settings.options.tokenizer,
                 "tokenizer.model or tokenizer.json (in the model)");
  arguments.text(group, "--codec", "PATH", settings.options.codec, "Mask codec, vae-oid.npz (in the model)");
  arguments.values(
      group, "--gate", "IMAGE", [&](const std::string& got) { settings.images.push_back(got); },
      "Write it only if it answers about these pictures nearly as IN does: a file, folder, pattern or "
      "@list.txt. Repeatable");
  arguments.text(group, "--labels", "LABELS", settings.labels,
                 "What the gate detects and segments (" + settings.labels + ")");
  arguments.flag(group, "--force", settings.options.force, "Overwrite what is there");
}

// Throws when the new model misses what a model of its type has to keep.
void require_quality(const std::filesystem::path& from, const std::filesystem::path& written,
                     const QuantizeSettings& settings, Session& session) {
  const QualityGate& gate = settings.options.type == QuantType::q8 ? kGateQ8 : kGateQ4;
  const ModelOptions options{.tokenizer = settings.options.tokenizer, .codec = settings.options.codec};
  const CompareReport report =
      compare_jobs({from, options}, {written, options},
                   standard_comparison(settings.images, split_labels(settings.labels), {}), session);
  std::string missed;
  for (const std::string& what : missed_by(report.total(), gate)) missed += (missed.empty() ? "" : "; ") + what;
  if (!missed.empty())
    fail(ErrorKind::failure, "gate", "not as near to the model as ", gate.name, " has to be: ", missed,
         ". Nothing was written. Try: --type ", gate.name == kGateQ8.name ? "q8 without --gate" : "q8");
}

int run_quantize(const Command& command, std::span<const std::string> line, Session& session) {
  QuantizeSettings settings;
  Arguments arguments;
  add_quantize_options(arguments, settings);
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  if (!settings.type) fail(ErrorKind::usage, "usage", "quantize: expected --type, got none. Try: --type q8");
  settings.options.type = *settings.type;
  const std::filesystem::path from = model_path(words->front());
  if (!settings.images.empty())
    settings.options.accept = [&](const std::filesystem::path& written) {
      require_quality(from, written, settings, session);
    };
  const ModelFiles files = find_model(from);

  write_model(session, words->back(), [&](const auto& progress, const auto& stop) {
    return quantize(files, words->back(), settings.options, progress, stop);
  });
  return 0;
}

}  // namespace

const Command kQuantize{
    .name = "quantize",
    .words = "IN OUT.gguf",
    .fewest_words = 2,
    .most_words = 2,
    .summary = "Write a model with weights of 8 or 4 bits, tokenizer and codec in one file",
    .examples =
        "  paligemma quantize paligemma2-3b-mix-448/ mix-448-q8.gguf --type q8\n"
        "  paligemma quantize pt_3b_224.bf16.npz pt-224-q4.gguf --type q4 --tokenizer "
        "tokenizer.model --codec vae-oid.npz\n"
        "  paligemma quantize mix-448/ mix-448-q4.gguf --type q4 --gate photos/ --labels 'cow ; car'\n",
    .run = run_quantize};

}  // namespace paligemma
