#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "base/error.h"

namespace paligemma {
namespace {

// An option of a later version; the value that means "as now" is taken, when there is one.
struct LaterOption {
  const char* name;
  std::string_view as_now;  // words parted by |
};

constexpr LaterOption kLaterOptions[] = {
    {"--adapter", ""},
    {"--numerics", "hf"},
    {"--window", "none"},
    {"--device", "auto|cpu"},
    {"--temperature", "0|0.0"},
    {"--top-k", ""},
    {"--top-p", ""},
    {"--min-p", ""},
    {"--repetition-penalty", "1|1.0"},
    {"--seed", ""},
    {"--beams", "1"},
    {"--beam-score", ""},
    {"--length-penalty", ""},
};

bool is_one_of(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find('|'), words.size());
    if (word == words.substr(0, end)) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

void add_later_options(CLI::App& app) {
  for (const LaterOption& option : kLaterOptions) {
    add_value(
        app, option.name, "",
        [option](const std::string& got) {
          if (!is_one_of(got, option.as_now)) not_available(join(option.name, " ", got));
        },
        "")
        ->group("");  // not in --help
  }
  app.add_flag("--offline")->group("");  // this version never uses the network
}

void add_picture_options(CLI::App& app, AnswerOptions& options) {
  add_choice<bool>(app, "--exif", options.decode_options.apply_exif, {{"apply", true}, {"ignore", false}},
                   "Turn pictures as their EXIF says (apply)")
      ->group("Pictures");
  add_number(
      app, "--max-pixels", 1, std::numeric_limits<std::int64_t>::max(),
      [&options](std::int64_t value) { options.decode_options.max_pixels = value; },
      "Refuse larger pictures (178956970)")
      ->group("Pictures");
  add_choice<Resize>(app, "--resize", options.model_options.resize,
                     {{"pillow", Resize::pillow},
                      {"pillow-12", Resize::pillow_12},
                      {"tf-bilinear", Resize::tf_bilinear},
                      {"tf-antialias", Resize::tf_antialias}},
                     "How pictures are brought to the model's size (pillow)", {"keras"})
      ->group("Pictures");
}

void add_output_options(CLI::App& app, AnswerOptions& options) {
  add_text(app, "-o,--output", "PATH", options.output,
           "Draw boxes, masks and labels: a .png, .jpg, .webp or .svg file, or a folder")
      ->group("Output");
  app.add_flag("--force", options.force, "Overwrite files in the folder of -o")->group("Output");
  app.add_flag("--logprobs", options.request.logprobs, "Add the log-probability of each token")->group("Output");
  app.add_flag("--timings", options.timings, "Add how long each stage took")->group("Output");
}

}  // namespace

void add_session_options(CLI::App& app, Session& session) {
  Output& output = session.output;
  Console& console = session.console;
  // While the line is parsed, so that what is wrong further on is said in JSON; the last one counts.
  const auto add_format = [&](const std::string& name, Format format, const std::string& help) {
    app.add_flag_callback(
           name, [&output, format] { output.format = format; }, help)
        ->trigger_on_parse()
        ->group("Output");
  };
  add_format("--json", Format::json, "Print JSON");
  add_format("--jsonl", Format::jsonl, "Print JSON, one line a result");
  app.add_flag("-q", console.quiet, "Print no progress and no warnings")->group("Output");
  app.add_flag("-v", console.verbose, "Print more on stderr")->group("Output");
  app.add_flag_callback(
         "--no-progress", [&console] { console.progress = false; }, "Print no progress")
      ->group("Output");
  add_choice<Color>(app, "--color", console.color,
                    {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}},
                    "Color on stderr (auto)")
      ->group("Output");
}

void add_arithmetic_options(CLI::App& app, ModelOptions& model) {
  add_choice<WeightType>(app, "--weights", model.weights,
                         {{"auto", WeightType::automatic}, {"f32", WeightType::f32}, {"bf16", WeightType::bf16}},
                         "How weights are held (auto: as in the file)", {"q8", "q4"})
      ->group("Model");
  add_choice<Compute>(app, "--compute", model.compute, {{"f32", Compute::f32}, {"bf16", Compute::bf16}},
                      "Arithmetic (bf16; the embedded model: f32)", {"int8"})
      ->group("Model");
  add_number(
      app, "-t,--threads", 1, 4096, [&model](std::int64_t value) { model.threads = static_cast<int>(value); },
      "Threads (one a core)")
      ->group("Model");
}

void add_model_options(CLI::App& app, AnswerOptions& options) {
  ModelOptions& model = options.model_options;
  const auto add_path = [&app](const std::string& names, std::filesystem::path& target, const std::string& help) {
    add_value(app, names, "PATH", [&target](const std::string& got) { target = got; }, help)->group("Model");
  };
  const auto add_switch = [&app](const std::string& name, Switch& target) {
    add_choice<Switch>(app, name, target, {{"on", Switch::on}, {"off", Switch::off}}, "(as the model's config says)")
        ->group("Model");
  };
  add_text(app, "-m,--model", "PATH", options.model,
           "A Hugging Face directory ($PALIGEMMA_MODEL, else the embedded model)")
      ->group("Model");
  add_path("--tokenizer", model.tokenizer, "tokenizer.model or tokenizer.json (in the model)");
  add_path("--codec", model.codec, "Mask codec, vae-oid.npz (in the model)");
  add_arithmetic_options(app, model);
  add_switch("--final-softcap", model.final_softcap);
  add_switch("--attention-softcap", model.attention_softcap);
  add_choice<int>(app, "--box-divisor", model.box_divisor, {{"1023", 1023}, {"1024", 1024}},
                  "Boxes are loc * side / N (1023, or as the model says)")
      ->group("Answer");
  add_choice<MaskProfile>(app, "--mask-profile", model.mask_profile,
                          {{"standard", MaskProfile::standard}, {"evaluator", MaskProfile::evaluator}},
                          "How masks are fitted to boxes (standard)")
      ->group("Answer");
}

void add_language(CLI::App& app, Request& request) {
  add_text(app, "--lang", "CODE", request.language, "Language of the answer (en)")->group("Answer");
}

void add_answer_options(CLI::App& app, AnswerOptions& options, Session& session) {
  Request& request = options.request;
  add_number(
      app, "--max-tokens", 0, 1 << 20, [&request](std::int64_t value) { request.max_tokens = static_cast<int>(value); },
      "Longest answer (256)")
      ->group("Answer");
  add_text(app, "--suffix", "TEXT", request.suffix, "Make the answer begin so; with --max-tokens 0 score it")
      ->group("Answer");
  add_output_options(app, options);
  add_session_options(app, session);
  add_picture_options(app, options);
  add_model_options(app, options);
  add_later_options(app);
}

std::string model_path(const std::string& given) {
  const char* set = std::getenv("PALIGEMMA_MODEL");
  const std::string path = given.empty() && set != nullptr ? set : given;
  const std::string suffix = std::filesystem::path(path).extension().string();
  if (is_one_of(suffix, ".npz|.gguf|.keras|.h5")) not_available(join("models of the form ", suffix, ": ", path));
  std::error_code ignored;
  if (!path.empty() && std::filesystem::exists(std::filesystem::path(path) / "model.weights.h5", ignored)) {
    not_available(join("KerasHub presets: ", path));
  }
  return path;
}

Model open_model(const AnswerOptions& options) {
  const std::string path = model_path(options.model);
  return path.empty() ? Model::embedded(options.model_options) : Model::open(path, options.model_options);
}

}  // namespace paligemma
