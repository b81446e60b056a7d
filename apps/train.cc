// paligemma train: a model tuned to the user's own pictures.
#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "io/file.h"
#include "io/output_folder.h"
#include "options.h"
#include "signals.h"
#include "train/run_plan.h"
#include "train/trainer.h"

namespace paligemma {
namespace {

struct TrainSettings {
  Recipe recipe;
  std::string resumed;  // --resume
  bool plan = false;
};

// An option for each setting of a recipe.
struct OptionAdder {
  Arguments& arguments;
  std::string group;

  std::string names(std::string_view setting) const {
    if (setting == "model") return "-m,--model";
    if (setting == "out") return "-o,--output";
    if (setting == "threads") return "-t,--threads";
    return option_name(setting);
  }
  void operator()(std::string_view name, std::string& field, const RecipeText& about) const {
    if (name != "data") arguments.text(group, names(name), about.value_name, field, std::string(about.help));
  }
  void operator()(std::string_view name, std::vector<std::string>& field, const RecipeText& about) const {
    arguments.values(
        group, names(name), about.value_name, [&field](const std::string& got) { field.push_back(got); },
        std::string(about.help));
  }
  void operator()(std::string_view name, std::string& field, const RecipeWords& about) const {
    std::vector<Keyword<std::string>> words;
    for (const std::string_view word : about.words) words.push_back({std::string(word), std::string(word)});
    arguments.choice<std::string>(group, names(name), field, std::move(words), std::string(about.help));
  }
  void operator()(std::string_view name, std::int64_t& field, const RecipeWhole& about) const {
    arguments.number(group, names(name), about.low, about.high, field, std::string(about.help));
  }
  void operator()(std::string_view name, double& field, const RecipeReal& about) const {
    if (name == "beta1" || name == "beta2") return;
    arguments.real(group, names(name), about.low, about.high, field, std::string(about.help));
  }
  void operator()(std::string_view name, bool& field, const RecipeSwitch& about) const {
    if (!field) return arguments.flag(group, names(name), field, std::string(about.help));
    arguments.choice<bool>(group, names(name), field, {{"on", true}, {"off", false}}, std::string(about.help));
  }
};

void read_betas(const std::string& text, Recipe& recipe) {
  double values[2] = {};
  const char *at = text.data(), *end = text.data() + text.size();
  for (int i = 0; i < 2; ++i) {
    const auto [next, error] = std::from_chars(at, end, values[i]);
    if (error != std::errc() || values[i] < 0 || values[i] >= 1 || (i == 0 ? next == end || *next != ',' : next != end))
      fail(ErrorKind::usage, "bad_value", "--betas: expected two numbers below 1, as in 0.9,0.999, got ", text);
    at = next + 1;
  }
  recipe.beta1 = values[0], recipe.beta2 = values[1];
}

// What stands behind --resume, or the recipe among the words: what the other options then change.
Recipe recipe_before(std::span<const std::string> line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::filesystem::path path;
    if (line[i].ends_with(".toml")) path = line[i];
    if (line[i].starts_with("--resume=")) path = line[i].substr(9) + "/recipe.toml";
    if (line[i] == "--resume" && i + 1 < line.size()) path = line[i + 1] + "/recipe.toml";
    if (path.empty()) continue;
    const FileBytes file = FileBytes::map(path, ErrorKind::usage);
    return read_recipe(file.text(), path.string());
  }
  return {};
}

void print_result(const Recipe& recipe, const RunResult& result, Session& session) {
  if (session.output.format != Format::text) {
    Json metrics = Json::object();
    for (const auto& [name, value] : result.metrics) metrics[name] = value;
    session.output.write(dump_json({{"schema", "paligemma.train/1"},
                                    {"output", recipe.out},
                                    {"step", result.position.step},
                                    {"steps", recipe.steps},
                                    {"loss", result.loss},
                                    {"best_step", result.position.best_step},
                                    {"skipped", result.position.skipped},
                                    {"stopped", result.stopped.empty() ? Json() : Json(result.stopped)},
                                    {"metrics", metrics}}) +
                         "\n");
    return;
  }
  std::string text = join(recipe.out, ": step ", result.position.step);
  if (result.position.best) text += join(", best at step ", result.position.best_step);
  session.output.write(text + "\n");
}

void show_plan(const Recipe& recipe, Session& session) {
  const RunPlan plan = plan_run(recipe);
  session.output.write(plan_text(plan));
  if (recipe.out.empty() || plan.samples.empty()) return;
  OutputFolder folder(std::filesystem::path(recipe.out) / "plan");
  for (std::size_t i = 0; i < plan.samples.size(); ++i)
    folder.write(join("sample-", i + 1, ".jpg"), plan.samples[i].picture);
  folder.commit(true);
}

int run_train(const Command& command, std::span<const std::string> line, Session& session) {
  TrainSettings settings{.recipe = recipe_before(line)};
  Recipe& recipe = settings.recipe;
  const Recipe from_file = recipe;
  recipe.freeze.clear(), recipe.targets.clear();
  Arguments arguments;
  visit_recipe(recipe, OptionAdder{arguments, "Training"});
  arguments.text("Training", "-o,--output", "DIR", recipe.out, "The folder of the run");
  arguments.value(
      "Training", "--betas", "A,B", [&](const std::string& got) { read_betas(got, recipe); }, "Of adamw (0.9,0.999)");
  arguments.text("Training", "--resume", "DIR", settings.resumed, "Go on with the run in this folder");
  arguments.flag("Training", "--plan", settings.plan,
                 "Say what memory and time it will take, show the first samples, and stop; with -o also as pictures");
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  if (recipe.freeze.empty()) recipe.freeze = from_file.freeze;
  if (recipe.targets.empty()) recipe.targets = from_file.targets;
  const bool resume = !settings.resumed.empty();
  if (resume) {
    recipe.out = settings.resumed;
    if (!words->empty())
      fail(ErrorKind::usage, "usage", "train: expected nothing beside --resume ", settings.resumed, ", got ",
           words->front(), ". Its recipe.toml says what it trains on");
  } else if (!words->empty() && !words->front().ends_with(".toml")) {
    recipe.data = words->front();
  }
  if (recipe.data.empty())
    fail(ErrorKind::usage, "usage",
         "train: expected DATA, a recipe or --resume, got none. Try: paligemma train cows/ -o runs/cows");
  if (settings.plan) {
    show_plan(recipe, session);
    return 0;
  }
  if (recipe.out.empty())
    fail(ErrorKind::usage, "usage", "train: expected -o, the run's folder, got none. Try: -o runs/first");
  if (!resume && std::filesystem::exists(std::filesystem::path(recipe.out) / "log.jsonl"))
    fail(ErrorKind::usage, "out_exists", "there is a run already: ", recipe.out, ". Try: --resume ", recipe.out,
         ", or another -o");

  defer_signals(true);
  const RunHooks hooks{.note = [&](const std::string& text) { session.console.note(text); },
                       .warning = [&](const std::string& text) { session.console.warning(text); },
                       .progress =
                           [&](const RunProgress& progress) {
                             session.console.show_progress(static_cast<std::size_t>(progress.step),
                                                           static_cast<std::size_t>(progress.steps),
                                                           progress_text(progress));
                           },
                       .evaluating = {},
                       .stop = interrupted};
  const RunResult result = train(recipe, resume, hooks);
  session.console.hide_progress();
  print_result(recipe, result, session);
  if (result.stopped != "interrupted") return 0;
  session.console.note(join("ended behind step ", result.position.step, ". Try: --resume ", recipe.out));
  return signal_exit_code();
}

}  // namespace

const Command kTrain{.name = "train",
                     .words = "[DATA|RECIPE.toml]",
                     .fewest_words = 0,
                     .most_words = 1,
                     .summary = "Tune a model to your own pictures: LoRA, QLoRA or all weights",
                     .examples =
                         "  paligemma train cows/ -m paligemma2-3b-pt-224/ -o runs/cows\n"
                         "  paligemma train runs/cows/recipe.toml -o runs/again --lr 5e-5\n"
                         "  paligemma train --resume runs/cows\n",
                     .run = run_train};

}  // namespace paligemma
