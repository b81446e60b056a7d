// paligemma merge: a model with an adapter added into its weights.
#include <cstdio>

#include "base/error.h"
#include "eval/merge_check.h"
#include "merge_model.h"
#include "model_writer.h"
#include "options.h"
#include "signals.h"

namespace paligemma {
namespace {

struct MergeSettings {
  std::string model, adapter, output;
  ModelOptions model_options;
  ConvertOptions convert;
};

void add_merge_options(Arguments& arguments, MergeSettings& settings) {
  const std::string group = "Merging";
  ModelOptions& model = settings.model_options;
  arguments.text(group, "-m,--model", "PATH", settings.model,
                 "The model that the adapter is for ($PALIGEMMA_MODEL, else the embedded model, pocket)");
  arguments.text(group, "--adapter", "PATH", settings.adapter, "The LoRA adapter, a PEFT directory");
  arguments.text(group, "-o,--output", "FOLDER", settings.output, "The Hugging Face folder to write");
  arguments.choice<std::optional<DType>>(group, "--save-type", settings.convert.weights,
                                         {{"auto", std::nullopt}, {"f32", DType::f32}, {"bf16", DType::bf16}},
                                         "How weights are held; they are merged in f32 (auto: as the model's)");
  arguments.text(group, "--tokenizer", "PATH", model.tokenizer, "tokenizer.model or tokenizer.json (in the model)");
  const auto add_cap = [&](const std::string& name, Switch& target) {
    arguments.choice<Switch>(group, name, target, {{"on", Switch::on}, {"off", Switch::off}},
                             "What config.json is to say (as the model's)");
  };
  add_cap("--final-softcap", model.final_softcap);
  add_cap("--attention-softcap", model.attention_softcap);
  arguments.choice<int>(group, "--box-divisor", model.box_divisor, {{"1023", 1023}, {"1024", 1024}},
                        "What config.json is to say of boxes (as the model's)");
  arguments.flag(group, "--force", settings.convert.force, "Overwrite what is there");
  add_threads_option(arguments, model);
}

std::string check_text(const MergeCheck& check) {
  char difference[32], effect[32];
  std::snprintf(difference, sizeof difference, "%.3g", check.difference);
  std::snprintf(effect, sizeof effect, "%.3g", check.effect);
  return join("largest difference of a logit: ", difference, " merged against attached, ", effect,
              " with the adapter against without\n", check.equal_tokens, " of ", check.tokens,
              " tokens of a caption are equal\n");
}

// What is not finite, or was not found out, is null.
Json check_json(const MergeSettings& settings, const std::optional<MergeCheck>& check) {
  Json json = {{"schema", "paligemma.merge/1"}, {"output", settings.output}};
  for (const auto& [key, number] : {std::pair{"difference", &MergeCheck::difference}, {"effect", &MergeCheck::effect}})
    json[key] = check ? Json((*check).*number) : nullptr;
  for (const auto& [key, count] :
       {std::pair{"tokens", &MergeCheck::tokens}, {"equal_tokens", &MergeCheck::equal_tokens}})
    json[key] = check ? Json((*check).*count) : nullptr;
  return json;
}

// Nothing, and a warning, where the model is merged well but cannot answer here.
std::optional<MergeCheck> try_check(const ComparedModel& attached, const std::string& merged, Session& session) try {
  session.console.detail("answering with the adapter attached and merged");
  return check_merge(attached, merged, interrupted);
} catch (const Error& error) {
  if (error.kind() != ErrorKind::resource && error.code() != "no_tokenizer") throw;
  session.console.warning(join("the merged model was not asked: ", error.what()));
  return {};
}

int run_merge(const Command& command, std::span<const std::string> line, Session& session) {
  MergeSettings settings;
  Arguments arguments;
  add_merge_options(arguments, settings);
  add_session_options(arguments, session);
  if (!arguments.parse(command, line, session.output)) return 0;
  require_given(command, "--adapter", settings.adapter, "runs/cows/best");
  require_given(command, "-o", settings.output, "merged/");
  const std::filesystem::path model = model_path(settings.model);
  ModelOptions& options = settings.model_options;
  write_model(session, settings.output, [&](const auto& progress, const auto& stop) {
    return merge_model(find_model(model), settings.adapter, settings.output, options, settings.convert, progress, stop);
  });

  options.adapters = {settings.adapter};
  const std::optional<MergeCheck> check = try_check({model, options}, settings.output, session);
  if (session.output.format != Format::text)
    session.output.write(dump_json(check_json(settings, check)) + "\n");
  else if (check)
    session.output.write(check_text(*check));
  if (check && !check->keeps_adapter())
    session.console.warning("the adapter is lost in the rounding of the weights. Try: --save-type f32");
  return 0;
}

}  // namespace

const Command kMerge{
    .name = "merge",
    .words = "--adapter DIR -o FOLDER",
    .most_words = 0,
    .summary = "Write a model with a LoRA adapter added into its weights",
    .examples =
        "  paligemma merge -m paligemma2-3b-pt-448/ --adapter runs/cows/best -o merged/\n"
        "  paligemma merge -m pt_3b_224.bf16.npz --tokenizer tokenizer.model --adapter cows/ -o merged/ "
        "--save-type f32\n",
    .run = run_merge};

}  // namespace paligemma
