// paligemma eval: how good a model's answers are on a data set, or those in a file of predictions.
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "base/error.h"
#include "calibration_file.h"
#include "console.h"
#include "eval/platt_scaling.h"
#include "eval/predictions.h"
#include "io/file.h"
#include "io/output_folder.h"
#include "options.h"
#include "report/printable.h"
#include "signals.h"
#include "train/run_settings.h"
#include "train/sample_picture.h"

namespace paligemma {
namespace {

struct EvalSettings {
  Recipe recipe;  // what of it says how data is read
  std::string model, output, predictions, split = "auto";
  std::vector<std::string> adapters, metrics;
  ModelOptions options;
  std::int64_t limit = 0, max_tokens = 512, worst = 12;
  bool force = false, groups = false, calibrate = false;
};

void add_eval_options(Arguments& arguments, EvalSettings& settings) {
  const std::string group = "Evaluation";
  arguments.text(group, "-m,--model", "PATH", settings.model,
                 "The model ($PALIGEMMA_MODEL, else the embedded model, pocket)");
  add_form_options(arguments, settings.options);
  add_precision_options(arguments, settings.options);
  add_threads_option(arguments, settings.options);
  arguments.text(group, "--predictions", "FILE.jsonl", settings.predictions,
                 "Judge these answers instead: lines of id (or the picture's name) and prediction or objects");
  arguments.values(
      group, "--metric", "NAME", [&](const std::string& got) { settings.metrics.push_back(got); },
      "Only these. Repeatable");
  arguments.flag(group, "--groups", settings.groups, "Those of each kind of question too, told by how prompts begin");
  arguments.flag(
      group, "--calibrate", settings.calibrate,
      "Fit scores of boxes to how often they are right on this data, and keep that with the model or adapter");
  arguments.choice<std::string>(
      group, "--split", settings.split,
      {{"auto", "auto"}, {"all", "all"}, {"train", "train"}, {"val", "val"}, {"test", "test"}},
      "Which part of DATA (auto: test, else validation, else all)");
  arguments.number(group, "--limit", 1, 1'000'000'000, settings.limit, "At most so many examples");
  arguments.number(group, "--max-tokens", 1, 8192, settings.max_tokens, "Of an answer (512)");
  arguments.text(group, "-o,--output", "DIR", settings.output,
                 "Write metrics.json, predictions.jsonl and the worst cases as pictures here");
  arguments.number(group, "--worst", 0, 10'000, settings.worst, "So many worst cases (12)");
  arguments.flag(group, "--force", settings.force, "Overwrite what is there");
  visit_recipe(settings.recipe, [&](std::string_view name, auto& field, const auto& about) {
    using Field = std::decay_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, std::string>) {
      if (name == "images" || name == "prefix")
        arguments.text(group, option_name(name), "TEXT", field, std::string(about.help));
    }
  });
  arguments.choice<std::string>(group, "--task", settings.recipe.task,
                                {{"auto", "auto"}, {"detect", "detect"}, {"segment", "segment"}},
                                "What objects are for (auto: masks where there are some)");
  arguments.choice<std::string>(group, "--detect-prompt", settings.recipe.detect_prompt,
                                {{"classes", "classes"}, {"every", "every"}, {"each", "each"}},
                                "detect: all class names, `all classes`, or one class a question (classes)");
}

std::vector<std::size_t> asked_places(const Dataset& data, const EvalSettings& settings) {
  const std::map<std::string, Split> splits = {
      {"train", Split::train}, {"val", Split::validation}, {"test", Split::test}};
  std::vector<std::size_t> places;
  if (settings.split == "auto") {
    places = places_of(data, Split::test);
    if (places.empty()) places = places_of(data, Split::validation);
  } else if (settings.split != "all") {
    places = places_of(data, splits.at(settings.split));
    if (places.empty())
      fail(ErrorKind::usage, "split", "the data has no such part: ", settings.recipe.data, ": expected --split ",
           settings.split, " to be there. Try: --split all");
  }
  if (places.empty())
    for (std::size_t i = 0; i < data.samples.size(); ++i) places.push_back(i);
  if (settings.limit > 0 && std::ssize(places) > settings.limit) places.resize(std::size_t(settings.limit));
  return places;
}

// Records of the answers in a file; samples without one count as not answered.
std::vector<Record> judged_records(const Dataset& data, const std::vector<std::size_t>& places,
                                   const EvalSettings& settings, Session& session) {
  std::vector<Record> records;
  std::map<std::string, std::string> others;  // what a sample is called elsewhere -> its id
  for (const std::size_t place : places) {
    const Sample& sample = data.samples[place];
    records.push_back(record_of(sample, sample_in_epoch(data, place, 0), sample.prefix));
    for (const std::string& name : {sample.picture.name, sample.source_id}) others.emplace(name, sample.id);
  }
  const FileBytes file = FileBytes::map(settings.predictions, ErrorKind::usage);
  std::vector<Prediction> predictions = read_predictions(file.text(), settings.predictions);
  std::set<std::string> ids;
  for (const Record& record : records) ids.insert(record.id);
  for (Prediction& one : predictions)
    if (const auto found = others.find(one.id); !ids.contains(one.id) && found != others.end()) one.id = found->second;
  const MatchedPredictions matched = take_predictions(records, std::move(predictions));
  if (matched.unanswered.size() == records.size())
    fail(ErrorKind::usage, "predictions", "no prediction is about this data: ", settings.predictions,
         ": expected ids such as ", records.front().id, " or ", data.samples[places.front()].picture.name);
  if (!matched.unanswered.empty())
    session.console.warning(join(matched.unanswered.size(), " examples have no prediction: they count as wrong"));
  if (!matched.unknown.empty())
    session.console.warning(
        join(matched.unknown.size(), " predictions are of no example, as ", matched.unknown.front()));
  return records;
}

std::string table(std::string_view before, const std::vector<MetricValue>& values) {
  std::string text;
  for (const MetricValue& value : values) {
    char number[32];
    std::snprintf(number, sizeof number, "%.6g", value.value);
    text += join(before, value.name, "\t", number, "\n");
  }
  return text;
}

Json json_of(const std::vector<MetricValue>& values) {
  Json json = Json::object();
  for (const MetricValue& value : values) json[value.name] = std::isfinite(value.value) ? Json(value.value) : Json();
  return json;
}

Json json_of(const ScoreFit& fit) {
  return {{"slope", fit.calibration.slope},
          {"offset", fit.calibration.offset},
          {"boxes", fit.boxes},
          {"ece_before", fit.error_before},
          {"ece", fit.error_after}};
}

Json result_json(std::size_t examples, const std::vector<MetricValue>& values, const std::vector<RecordGroup>& groups,
                 const std::optional<ScoreFit>& fit) {
  Json json = {{"schema", "paligemma.eval/1"}, {"examples", examples}, {"metrics", json_of(values)}};
  if (fit) json["calibration"] = json_of(*fit);
  for (const RecordGroup& group : groups)
    json["groups"][group.name] = {{"examples", group.records}, {"metrics", json_of(group.values)}};
  return json;
}

std::string fit_line(const ScoreFit& fit, const CalibrationFile& file) {
  char numbers[128];
  std::snprintf(numbers, sizeof numbers, "ECE %.4f -> %.4f, slope %.6g, offset %.6g", fit.error_before, fit.error_after,
                fit.calibration.slope, fit.calibration.offset);
  return join("calibrated\t", numbers, ", of ", fit.boxes, " boxes, kept in ", printable(file.path.string()), "\n");
}

void write_folder(const EvalSettings& settings, const Json& result, const std::vector<Record>& records,
                  const std::vector<std::pair<std::string, std::vector<std::byte>>>& pictures) {
  OutputFolder folder(settings.output);
  folder.write("metrics.json", result.dump(1) + "\n");
  std::string lines;
  for (const Record& record : records) lines += prediction_line(record) + "\n";
  folder.write("predictions.jsonl", lines);
  for (const auto& [name, bytes] : pictures) folder.write("worst/" + name, bytes);
  folder.commit(settings.force);
}

// The answers that the first metric is worst for, drawn.
std::vector<std::pair<std::string, std::vector<std::byte>>> worst_cases(const Dataset& data,
                                                                        const std::vector<ValidationAnswer>& answers,
                                                                        const MetricValue& metric, std::int64_t count) {
  std::vector<std::pair<std::string, std::vector<std::byte>>> out;
  for (const std::size_t i : worst_records(metric, static_cast<std::size_t>(count))) {
    char name[32];
    std::snprintf(name, sizeof name, "%03zu.jpg", out.size() + 1);
    const ValidationAnswer& one = answers[i];
    out.emplace_back(name, sample_picture(sample_in_epoch(data, one.place, 0).picture, one.result));
  }
  return out;
}

int run_eval(const Command& command, std::span<const std::string> line, Session& session) {
  EvalSettings settings;
  Arguments arguments;
  add_eval_options(arguments, settings);
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  settings.recipe.data = words->front();
  if (settings.calibrate && !settings.predictions.empty())
    fail(ErrorKind::usage, "usage", "eval --calibrate fits the scores of a model: expected no --predictions, got ",
         settings.predictions);
  for (const std::string& name : settings.metrics) find_metric(name);
  defer_signals(true);
  const Dataset data = open_eval_data(settings.recipe);
  const std::vector<std::size_t> places = asked_places(data, settings);

  std::vector<Record> records;
  std::vector<ValidationAnswer> answers;
  std::optional<CalibrationFile> calibration_file;
  if (!settings.predictions.empty()) {
    records = judged_records(data, places, settings, session);
  } else {
    const std::string path = model_path(settings.model);
    const ModelFiles files = find_model(path);
    if (settings.calibrate) calibration_file = find_calibration_file(files, path, settings.options);
    const auto pipeline = open_pipeline(path, settings.options);
    if (settings.calibrate) score_uncalibrated(*pipeline);
    Recipe recipe = settings.recipe;
    recipe.codec = settings.options.codec.string();
    recipe.answer_tokens = settings.max_tokens;
    ValidationOptions options = evaluation_options(recipe, files, *pipeline);
    options.places = places;
    options.drawn = 0;
    answers = answer_samples(
        *pipeline, data, options,
        [&](std::size_t done) { session.console.show_progress(done, places.size(), "answering"); }, interrupted);
    session.console.hide_progress();
    for (const ValidationAnswer& one : answers) records.push_back(record_of(one));
    if (answers.size() < places.size() && !interrupted())
      session.console.warning(join(places.size() - answers.size(), " pictures could not be read"));
  }
  if (interrupted()) {
    session.console.note(join("ended behind ", records.size(), " of ", places.size(), " samples"));
    return signal_exit_code();
  }
  if (records.empty()) fail(ErrorKind::input, "data_unreadable", "no picture of the data could be read");
  const std::vector<MetricValue> values =
      evaluate(records, settings.metrics.empty() ? default_metrics(records) : settings.metrics);
  const std::vector<RecordGroup> groups = settings.groups ? group_metrics(records) : std::vector<RecordGroup>();
  std::optional<ScoreFit> fit;
  if (calibration_file) fit = fit_scores(records);
  const Json result = result_json(records.size(), values, groups, fit);
  if (!settings.output.empty())
    write_folder(settings, result, records,
                 answers.empty() ? std::vector<std::pair<std::string, std::vector<std::byte>>>()
                                 : worst_cases(data, answers, values.front(), settings.worst));
  if (fit) keep_calibration(*calibration_file, fit->calibration);
  if (session.output.format == Format::text) {
    session.output.write(table("", values));
    for (const RecordGroup& group : groups) session.output.write(table(group.name + "/", group.values));
    if (fit) session.output.write(fit_line(*fit, *calibration_file));
  } else {
    session.output.write(dump_json(result) + "\n");
  }
  return 0;
}

}  // namespace

const Command kEval{.name = "eval",
                    .words = "DATA",
                    .fewest_words = 1,
                    .most_words = 1,
                    .summary = "Measure a model's answers on a data set, or those in a file",
                    .examples =
                        "  paligemma eval cows/ -m paligemma2-3b-pt-224/ --adapter runs/cows/best -o results/\n"
                        "  paligemma eval cows/ --predictions theirs.jsonl --metric box_ap\n"
                        "  paligemma eval cows/ -m paligemma2-3b-pt-224/ --adapter runs/cows/best --calibrate\n",
                    .run = run_eval};

}  // namespace paligemma
