#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "engine/decoding.h"
#include "model/pocket.h"

namespace paligemma {
namespace {

// An option of a later version; the value that means "as now" is taken, when there is one.
struct LaterOption {
  const char* name;
  std::string_view as_now;  // words parted by |
};

constexpr LaterOption kLaterOptions[] = {
    {"--device", "auto|cpu"},
};

bool is_one_of(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find('|'), words.size());
    if (word == words.substr(0, end)) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

void add_later_options(Arguments& arguments) {
  for (const LaterOption& option : kLaterOptions) {
    const auto take = [option](const std::string& got) {
      if (!is_one_of(got, option.as_now)) not_available(join(option.name, " ", got));
    };
    arguments.value("", option.name, "", take, "");
  }
  arguments.early_flag("", "--offline", [] {}, "");  // this version never uses the network
}

void add_output_options(Arguments& arguments, AnswerOptions& options) {
  const std::string group = "Output";
  arguments.text(group, "-o,--output", "PATH", options.output,
                 "Draw boxes, masks and labels: a .png, .jpg, .webp or .svg file, or a folder");
  arguments.flag(group, "--force", options.force, "Overwrite files in the folder of -o");
  arguments.flag(group, "--logprobs", options.request.logprobs, "Add the log-probability of each token");
  arguments.flag(group, "--timings", options.timings, "Add how long each stage took");
}

void add_decoding_options(Arguments& arguments, Request& request) {
  const std::string group = "Choice of tokens";
  Sampling& sampling = request.sampling;
  const auto real = [&](const std::string& name, Limits<double> limits, double& target, const std::string& help) {
    arguments.real(group, name, limits.low, limits.high, target, help);
  };
  real("--temperature", kTemperature, sampling.temperature, "0: the most probable token; above: by chance (0)");
  arguments.number(group, "--top-k", kTopK.low, kTopK.high, sampling.top_k, "... among so many (0: all)");
  real("--top-p", kTopP, sampling.top_p, "... among the fewest that are together so probable (1)");
  real("--min-p", kMinP, sampling.min_p, "... among those so probable, as a part of the most probable one (0)");
  arguments.number(group, "--seed", 0, std::numeric_limits<std::int64_t>::max(), sampling.seed,
                   "The same seed gives the same answer (0)");
  real("--repetition-penalty", kRepetitionPenalty, sampling.repetition_penalty,
       "Above 1: what was already written becomes less probable (1)");
  arguments.number(group, "--beams", kBeams.low, kBeams.high, request.beams.count,
                   "Beam search with so many beams (1)");
  arguments.choice<BeamScore>(group, "--beam-score", request.beams.score,
                              {{"mean", BeamScore::mean}, {"sum", BeamScore::sum}},
                              "Of log-probabilities (mean, as transformers; of bv: sum)");
  real("--length-penalty", kLengthPenalty, request.beams.length_penalty, "A mean divides by length to this power (1)");
}

}  // namespace

void add_session_options(Arguments& arguments, Session& session) {
  const std::string group = "Output";
  Output& output = session.output;
  Console& console = session.console;
  arguments.early_flag(group, "--json", [&output] { output.format = Format::json; }, "Print JSON");
  arguments.early_flag(group, "--jsonl", [&output] { output.format = Format::jsonl; }, "Print JSON, one line a result");
  arguments.flag(group, "-q", console.quiet, "Print no progress and no warnings");
  arguments.flag(group, "-v", console.verbose, "Print more on stderr");
  arguments.early_flag(group, "--no-progress", [&console] { console.progress = false; }, "Print no progress");
  arguments.choice<Color>(group, "--color", console.color,
                          {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}},
                          "Color on stderr (auto)");
}

void add_precision_options(Arguments& arguments, ModelOptions& model, const std::string& side) {
  const std::string group = "Model";
  arguments.choice<WeightType>(group, "--weights" + side, model.weights,
                               {{"auto", WeightType::automatic},
                                {"f32", WeightType::f32},
                                {"bf16", WeightType::bf16},
                                {"q8", WeightType::q8},
                                {"q4", WeightType::q4}},
                               "How weights are held (auto: as in the file)");
  arguments.choice<Compute>(group, "--compute" + side, model.compute,
                            {{"f32", Compute::f32}, {"bf16", Compute::bf16}, {"int8", Compute::int8}},
                            "Arithmetic; int8 is of q8 and q4 weights (bf16; the embedded model: f32)");
}

void add_threads_option(Arguments& arguments, ModelOptions& model) {
  arguments.number("Model", "-t,--threads", 1, 4096, model.threads, "Threads (one a core)");
}

void add_form_options(Arguments& arguments, ModelOptions& model) {
  const std::string group = "Model";
  const auto add_switch = [&](const std::string& name, Switch& target) {
    arguments.choice<Switch>(group, name, target, {{"on", Switch::on}, {"off", Switch::off}},
                             "(as the model's config says)");
  };
  arguments.text(group, "--tokenizer", "PATH", model.tokenizer, "tokenizer.model or tokenizer.json (in the model)");
  arguments.text(group, "--codec", "PATH", model.codec, "Mask codec, vae-oid.npz (in the model)");
  arguments.values(
      group, "--adapter", "PATH", [&model](const std::string& path) { model.adapters.emplace_back(path); },
      "A LoRA adapter, a PEFT directory. Repeatable: the first answers, unless a line of --requests names another");
  add_switch("--final-softcap", model.final_softcap);
  add_switch("--attention-softcap", model.attention_softcap);
  arguments.choice<Numerics>(group, "--numerics", model.numerics, {{"hf", Numerics::hf}, {"bv", Numerics::bv}},
                             "Compute as transformers or as big_vision does where they differ (hf)");
  arguments.choice<Window>(group, "--window", model.window, {{"none", Window::none}, {"hf", Window::hf}},
                           "Sliding window of Gemma 2 as in transformers (none)");
  arguments.number(group, "--draft-rows", 0, 64, model.draft_rows,
                   "Check likely tokens in up to so many rows of a step; 1: none (0: what costs little)");
  arguments.choice<bool>(group, "--share-pictures", model.share_pictures, {{"on", true}, {"off", false}},
                         "Look at a picture once for all questions; the answers are the same (on)");
  arguments.choice<int>("Answer", "--box-divisor", model.box_divisor, {{"1023", 1023}, {"1024", 1024}},
                        "Boxes are loc * side / N (1023, or as the model says)");
  arguments.choice<MaskProfile>("Answer", "--mask-profile", model.mask_profile,
                                {{"standard", MaskProfile::standard}, {"evaluator", MaskProfile::evaluator}},
                                "How masks are fitted to boxes (standard)");
}

void add_model_options(Arguments& arguments, AnswerOptions& options) {
  arguments.text("Model", "-m,--model", "PATH", options.model,
                 "A Hugging Face directory, .npz, KerasHub preset ($PALIGEMMA_MODEL, else the embedded model, pocket)");
  add_precision_options(arguments, options.model_options);
  add_threads_option(arguments, options.model_options);
  add_form_options(arguments, options.model_options);
}

void add_picture_options(Arguments& arguments, AnswerOptions& options) {
  const std::string group = "Pictures";
  arguments.choice<bool>(group, "--exif", options.decode_options.apply_exif, {{"apply", true}, {"ignore", false}},
                         "Turn pictures as their EXIF says (apply)");
  arguments.number(group, "--max-pixels", 1, std::numeric_limits<std::int64_t>::max(),
                   options.decode_options.max_pixels, "Refuse larger pictures (178956970)");
  arguments.choice<Resize>(group, "--resize", options.model_options.resize,
                           {{"pillow", Resize::pillow},
                            {"pillow-12", Resize::pillow_12},
                            {"tf-bilinear", Resize::tf_bilinear},
                            {"tf-antialias", Resize::tf_antialias},
                            {"keras", Resize::keras}},
                           "How pictures are brought to the model's size (pillow; of bv: tf-bilinear)");
}

void add_language(Arguments& arguments, Request& request) {
  arguments.text("Answer", "--lang", "CODE", request.language, "Language of the answer (en)");
}

void add_answer_options(Arguments& arguments, AnswerOptions& options, Session& session) {
  Request& request = options.request;
  arguments.number("Answer", "--max-tokens", 0, 1 << 20, request.max_tokens, "Longest answer (256)");
  arguments.text("Answer", "--suffix", "TEXT", request.suffix,
                 "Make the answer begin so; with --max-tokens 0 score it");
  arguments.number("Answer", "--batch", 1, 64, options.batch, "Questions and pictures answered at once (4)");
  add_decoding_options(arguments, request);
  add_output_options(arguments, options);
  add_session_options(arguments, session);
  add_picture_options(arguments, options);
  add_model_options(arguments, options);
  add_later_options(arguments);
}

std::string model_path(const std::string& given) {
  const char* set = std::getenv("PALIGEMMA_MODEL");
  const std::string path = given.empty() && set != nullptr ? set : given;
  if (path == kPocketName && !std::filesystem::exists(path)) return {};
  const std::string suffix = std::filesystem::path(path).extension().string();
  if (suffix == ".h5") not_available(join("models of the form ", suffix, ": ", path));
  return path;
}

Model open_model(const AnswerOptions& options) {
  const std::string path = model_path(options.model);
  return path.empty() ? Model::embedded(options.model_options) : Model::open(path, options.model_options);
}

}  // namespace paligemma
