// paligemma eval: how good a model's answers are on a data set, or those in a file of predictions.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "console.h"
#include "detect/parse.h"
#include "io/file.h"
#include "io/output_folder.h"
#include "options.h"
#include "signals.h"
#include "train/sample_picture.h"
#include "train/trainer.h"

namespace paligemma {
namespace {

struct EvalSettings {
  Recipe recipe;  // what of it says how data is read
  std::string model, output, predictions, split = "auto";
  std::vector<std::string> adapters, metrics;
  ModelOptions options;
  std::int64_t limit = 0, max_tokens = 512, worst = 12;
  bool force = false;
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
  const FileBytes file = FileBytes::map(settings.predictions, ErrorKind::usage);
  std::map<std::string, Prediction> predictions;
  for (Prediction& one : read_predictions(file.text(), settings.predictions)) {
    const std::string id = one.id;
    predictions.emplace(id, std::move(one));
  }
  std::vector<Record> records;
  std::size_t missing = 0;
  for (const std::size_t place : places) {
    const Sample& sample = data.samples[place];
    const DecodedSample truth = decode_sample(sample);
    Record record = record_of(sample, truth, sample.prefix);
    auto found = predictions.find(sample.id);
    for (const std::string& name : {sample.source_id, sample.picture.name})
      if (found == predictions.end()) found = predictions.find(name);
    if (found == predictions.end()) {
      ++missing;
    } else {
      record.prediction = found->second.text;
      if (found->second.objects) {
        record.objects.found = *found->second.objects;
      } else {
        const Frame frame{truth.picture.width, truth.picture.height, 1023};
        for (const Object& object : parse_objects(found->second.text, frame, {}).objects)
          record.objects.found.push_back({.label = object.label, .box = object.box});
      }
    }
    records.push_back(std::move(record));
  }
  if (missing == records.size())
    fail(ErrorKind::usage, "predictions", "no prediction is about this data: ", settings.predictions,
         ": expected ids such as ", data.samples[places.front()].id, " or ", data.samples[places.front()].picture.name);
  if (missing > 0) session.console.warning(join(missing, " examples have no prediction: they count as wrong"));
  return records;
}

std::string table(const MetricValues& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    char line[64];
    std::snprintf(line, sizeof line, "%-12s %.6g\n", name.c_str(), value);
    text += line;
  }
  return text;
}

void write_folder(const EvalSettings& settings, const MetricValues& values, const std::vector<Record>& records,
                  const std::vector<std::pair<std::string, std::vector<std::byte>>>& pictures) {
  OutputFolder folder(settings.output);
  Json json = Json::object();
  for (const auto& [name, value] : values) json[name] = value;
  folder.write("metrics.json",
               Json({{"schema", "paligemma.eval/1"}, {"examples", records.size()}, {"metrics", json}}).dump(1) + "\n");
  std::string lines;
  for (const Record& record : records) {
    Prediction prediction{.id = record.id, .text = record.prediction};
    if (record.task == RecordTask::detect || record.task == RecordTask::segment || record.task == RecordTask::refer)
      prediction.objects = record.objects.found;
    lines += prediction_line(prediction);
  }
  folder.write("predictions.jsonl", lines);
  for (const auto& [name, bytes] : pictures) folder.write("worst/" + name, bytes);
  folder.commit(settings.force);
}

// The answers of least quality, drawn.
std::vector<std::pair<std::string, std::vector<std::byte>>> worst_cases(const Dataset& data,
                                                                        const std::vector<ValidationAnswer>& answers,
                                                                        const std::vector<Record>& records,
                                                                        std::int64_t count) {
  std::vector<std::size_t> order(records.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return quality(records[i]); });
  std::vector<std::pair<std::string, std::vector<std::byte>>> out;
  for (std::size_t i = 0; i < order.size() && std::ssize(out) < count; ++i) {
    const ValidationAnswer& one = answers[order[i]];
    if (quality(records[order[i]]) >= 1) break;
    char name[32];
    std::snprintf(name, sizeof name, "%03zu.jpg", i + 1);
    out.emplace_back(name, sample_picture(decode_sample(data.samples[one.place]).picture, one.result));
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
  for (const std::string& name : settings.metrics) find_metric(name);
  defer_signals(true);
  const Dataset data = open_eval_data(settings.recipe);
  const std::vector<std::size_t> places = asked_places(data, settings);

  std::vector<Record> records;
  std::vector<std::pair<std::string, std::vector<std::byte>>> pictures;
  if (!settings.predictions.empty()) {
    records = judged_records(data, places, settings, session);
  } else {
    const std::string path = model_path(settings.model);
    const ModelFiles files = find_model(path);
    const auto pipeline = open_pipeline(path, settings.options);
    Recipe recipe = settings.recipe;
    recipe.codec = settings.options.codec.string();
    recipe.answer_tokens = settings.max_tokens;
    ValidationOptions options = evaluation_options(recipe, files, *pipeline);
    options.places = places;
    options.drawn = 0;
    const std::vector<ValidationAnswer> answers = answer_samples(
        *pipeline, data, options,
        [&](std::size_t done) { session.console.show_progress(done, places.size(), "answering"); }, interrupted);
    session.console.hide_progress();
    for (const ValidationAnswer& one : answers) records.push_back(record_of(one));
    if (answers.size() < places.size())
      session.console.warning(join(places.size() - answers.size(), " pictures could not be read"));
    if (!settings.output.empty()) pictures = worst_cases(data, answers, records, settings.worst);
  }
  const MetricValues values = evaluate(records, settings.metrics);
  if (!settings.output.empty()) write_folder(settings, values, records, pictures);
  if (session.output.format == Format::text) {
    session.output.write(table(values));
  } else {
    Json json = Json::object();
    for (const auto& [name, value] : values) json[name] = value;
    session.output.write(dump_json({{"schema", "paligemma.eval/1"}, {"examples", records.size()}, {"metrics", json}}) +
                         "\n");
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
                        "  paligemma eval cows/ --predictions theirs.jsonl --metric AP50\n",
                    .run = run_eval};

}  // namespace paligemma
