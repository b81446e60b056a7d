// paligemma convert: a checkpoint in another form.
#include "convert.h"

#include <limits>

#include "base/error.h"
#include "model_writer.h"
#include "options.h"

namespace paligemma {
namespace {

struct Settings {
  ConvertOptions convert;
  std::optional<Form> to;
};

void add_options(Arguments& arguments, Settings& settings) {
  const std::string group = "Conversion";
  arguments.choice<std::optional<Form>>(
      group, "--to", settings.to, {{"hf", Form::hugging_face}, {"npz", Form::big_vision}, {"keras", Form::keras}},
      "The form to write: a Hugging Face folder, big_vision's .npz, a KerasHub preset");
  arguments.choice<std::optional<DType>>(
      group, "--weights", settings.convert.weights,
      {{"auto", std::nullopt}, {"f32", DType::f32}, {"bf16", DType::bf16}, {"f16", DType::f16}},
      "How weights are held (auto: as they are)", {"q8", "q4"});
  arguments.text(group, "--tokenizer", "PATH", settings.convert.tokenizer,
                 "tokenizer.model or tokenizer.json (in the model)");
  arguments.number(group, "--shard-bytes", 1, std::numeric_limits<std::int64_t>::max(), settings.convert.shard_bytes,
                   "Largest file of weights (5 GB for hf, 10 GB for keras)");
  arguments.flag(group, "--force", settings.convert.force, "Overwrite what is there");
}

int run_convert(const Command& command, std::span<const std::string> line, Session& session) {
  Settings settings;
  Arguments arguments;
  add_options(arguments, settings);
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  if (!settings.to) fail(ErrorKind::usage, "usage", "convert: expected --to, got none. Try: --to hf");
  settings.convert.to = *settings.to;
  if (settings.convert.to == Form::big_vision && settings.convert.shard_bytes != 0)
    fail(ErrorKind::usage, "usage", "convert --shard-bytes ", settings.convert.shard_bytes,
         ": expected --to hf or keras, got npz, which is one file");
  const ModelFiles files = find_model(model_path(words->front()));

  write_model(session, words->back(), [&](const auto& progress, const auto& stop) {
    return convert(files, words->back(), settings.convert, progress, stop);
  });
  return 0;
}

}  // namespace

const Command kConvert{.name = "convert",
                       .words = "IN OUT",
                       .fewest_words = 2,
                       .most_words = 2,
                       .summary = "Write a model in another form",
                       .examples =
                           "  paligemma convert pt_3b_224.bf16.npz paligemma2-3b-pt-224/ --to hf --tokenizer "
                           "tokenizer.model\n"
                           "  paligemma convert paligemma2-3b-mix-448/ mix.npz --to npz --weights f32\n",
                       .run = run_convert};

}  // namespace paligemma
