// paligemma scenes: pictures of the drawn world with exact labels, as data to train on and to measure with.
#include <algorithm>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "base/thread_pool.h"
#include "folders.h"
#include "image/encode.h"
#include "image/png_source.h"
#include "io/file.h"
#include "io/output_folder.h"
#include "options.h"
#include "report/annotations.h"
#include "scenes/samples.h"
#include "scenes/world.h"
#include "signals.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

enum class SceneLabels { rows, coco };

struct SceneSettings {
  std::uint64_t count = 100, first = 0, seed = 0;
  int questions = 0;  // of a picture at most; 0: all
  std::string output;
  SceneLabels labels = SceneLabels::rows;
  world::SceneOptions scene{.side = 448};
  ModelOptions threads;  // of which only these count
  bool force = false;
};

// A scene as it is written. Of the labels only those of the form that was asked for.
struct WrittenScene {
  std::string picture;  // relative to the labels' file
  std::string rows;
  std::size_t labels = 0;
  Result objects;
  std::exception_ptr error;
};

std::string_view label_name(const SceneSettings& settings) {
  return settings.labels == SceneLabels::rows ? "rows.jsonl" : "instances.json";
}

fs::path label_file(const SceneSettings& settings) { return fs::path(settings.output) / label_name(settings); }

void add_scene_options(Arguments& arguments, SceneSettings& settings) {
  const std::string group = "Scenes";
  constexpr std::int64_t kMostScenes = 1'000'000, kLargest = std::numeric_limits<std::int64_t>::max();
  arguments.number(group, "--count", 1, kMostScenes, settings.count, join("Pictures (", settings.count, ")"));
  arguments.number(group, "--seed", 0, kLargest, settings.seed,
                   "What is drawn by chance: no two seeds have a scene in common (0)");
  arguments.number(group, "--first", 0, kLargest - kMostScenes, settings.first,
                   "The first scene's number: each follows from seed and number alone (0)");
  arguments.number(
      group, "--size", world::kLeastSide, world::kMostSide, settings.scene.side,
      join("Pixels a side, ", world::kLeastSide, " to ", world::kMostSide, " (", settings.scene.side, ")"));
  arguments.real(group, "--scale", world::kLeastScale, world::kMostScale, settings.scene.scale,
                 "Things this much larger or smaller than usual (1)");
  arguments.choice<SceneLabels>(group, "--format", settings.labels,
                                {{"rows", SceneLabels::rows}, {"coco", SceneLabels::coco}},
                                "rows.jsonl: prefix and suffix for each question (all but segment); instances.json: "
                                "boxes and masks as COCO has them (rows)");
  arguments.number(group, "--questions", 1, 1000, settings.questions, "Rows of a picture at most, by chance (all)");
  arguments.text(group, "-o,--output", "DIR", settings.output, "The folder to write: pictures/ and the labels");
  arguments.flag(group, "--force", settings.force, "Overwrite what is there");
  add_threads_option(arguments, settings.threads);
}

// What has no answer cannot be learnt from rows, but for things that are looked for and not there.
bool has_row(const world::Question& question) {
  return question.task == SampleTask::detect || (question.task == SampleTask::text && !question.answer.empty());
}

void write_rows(const world::Scene& scene, int most, WrittenScene& written) {
  Dice dice(seed_of(scene.seed, scene.number, 1));
  std::vector<world::Question> asked = world::questions(scene, dice);
  std::erase_if(asked, [](const world::Question& question) { return !has_row(question); });
  if (most > 0 && static_cast<std::size_t>(most) < asked.size()) {
    dice.shuffle(asked);
    asked.resize(static_cast<std::size_t>(most));
  }
  for (const world::Question& question : asked)
    written.rows +=
        dump_json(
            {{"image", written.picture}, {"prefix", question.prompt}, {"suffix", world::suffix_of(scene, question)}}) +
        "\n";
  written.labels = asked.size();
}

void list_objects(const world::Scene& scene, WrittenScene& written) {
  written.objects.width = written.objects.height = scene.side;
  for (const world::Figure& figure : scene.figures) {
    Object object{.label = std::string(world::things()[static_cast<std::size_t>(figure.thing)].name),
                  .mask = figure.mask};
    std::ranges::copy(figure.box, object.box.begin());
    written.objects.objects.push_back(std::move(object));
  }
  written.labels = scene.figures.size();
}

// Scenes from the first to the last, many at once, written in their order.
class SceneWriter {
 public:
  SceneWriter(const SceneSettings& settings, Session& session)
      : settings_(settings),
        session_(session),
        pool_(settings.threads.threads),
        artwork_(world::open_artwork()),
        folder_(settings.output) {
    std::vector<std::string> names;
    for (const world::Thing& thing : world::things()) names.emplace_back(thing.name);
    categories_.emplace(names);
  }

  void write_all();
  void report() const;

 private:
  WrittenScene write(std::uint64_t number);
  void write_together(NewFile& labels);

  const SceneSettings& settings_;
  Session& session_;
  ThreadPool pool_;
  world::Artwork artwork_;
  world::BackdropStore backdrops_;
  std::optional<Categories> categories_;
  CocoDocument document_;
  OutputFolder folder_;  // of the labels, which appear when all pictures are there
  std::uint64_t pictures_ = 0, labels_ = 0;
};

WrittenScene SceneWriter::write(std::uint64_t number) {
  const world::Scene scene = world::make_scene(artwork_, settings_.seed, number, settings_.scene);
  char name[40];
  std::snprintf(name, sizeof name, "pictures/%06llu.png", static_cast<unsigned long long>(number));
  WrittenScene written{.picture = name};
  write_file(fs::path(settings_.output) / name,
             with_source(encode_picture(world::draw(scene, backdrops_), "png"), world::kPictureSource),
             settings_.force);
  settings_.labels == SceneLabels::rows ? write_rows(scene, settings_.questions, written)
                                        : list_objects(scene, written);
  return written;
}

void SceneWriter::write_together(NewFile& labels) {
  constexpr std::uint64_t kTogether = 64;
  std::vector<WrittenScene> together(std::min(kTogether, settings_.count - pictures_));
  pool_.run(static_cast<std::int64_t>(together.size()), [&](std::int64_t i, int) {
    const auto place = static_cast<std::size_t>(i);
    try {
      together[place] = write(settings_.first + pictures_ + place);
    } catch (...) {  // threads of the pool let nothing through
      together[place].error = std::current_exception();
    }
  });
  for (const WrittenScene& scene : together) {
    if (scene.error) std::rethrow_exception(scene.error);
    labels.write(std::as_bytes(std::span(scene.rows)));
    labels_ += scene.labels;
    ++pictures_;
    if (settings_.labels == SceneLabels::coco)
      document_.add(static_cast<int>(pictures_), scene.picture, scene.objects, *categories_);
  }
  session_.console.show_progress(pictures_, settings_.count, together.back().picture);
}

void SceneWriter::write_all() {
  NewFile labels(folder_.path(label_name(settings_)), label_file(settings_).string());
  session_.console.begin_progress(0);
  while (pictures_ < settings_.count && !interrupted()) write_together(labels);
  session_.console.hide_progress();
  const std::string document = settings_.labels == SceneLabels::coco ? document_.text(*categories_) : "";
  labels.write(std::as_bytes(std::span(document)));
  labels.close();
  folder_.commit(settings_.force);
}

void SceneWriter::report() const {
  const bool rows = settings_.labels == SceneLabels::rows;
  const std::string file = label_file(settings_).string();
  if (session_.output.format == Format::text)
    return session_.output.write(join(file, ": ", pictures_, " pictures, ", labels_, rows ? " rows\n" : " objects\n"));
  session_.output.write(dump_json({{"schema", "paligemma.scenes/1"},
                                   {"output", file},
                                   {"seed", settings_.seed},
                                   {"first", settings_.first},
                                   {"pictures", pictures_},
                                   {rows ? "rows" : "objects", labels_}}) +
                        "\n");
}

int run_scenes(const Command& command, std::span<const std::string> line, Session& session) {
  SceneSettings settings;
  Arguments arguments;
  add_scene_options(arguments, settings);
  add_session_options(arguments, session);
  if (!arguments.parse(command, line, session.output)) return 0;
  require_given(command, "-o", settings.output, "scenes/");
  if (settings.labels == SceneLabels::coco && settings.questions > 0)
    fail(ErrorKind::usage, "usage", "scenes: --questions: expected --format rows, got coco. Try: without --questions");
  require_drawing();
  if (!settings.force) check_free(label_file(settings));
  make_folder(fs::path(settings.output) / "pictures");
  defer_signals(true);
  SceneWriter writer(settings, session);
  writer.write_all();
  writer.report();
  return signal_exit_code();
}

}  // namespace

const Command kScenes{.name = "scenes",
                      .words = "--count N -o DIR",
                      .most_words = 0,
                      .summary = "Draw pictures with exact labels, to train on and to measure with",
                      .examples =
                          "  paligemma scenes --count 1000 --seed 7 -o scenes/\n"
                          "  paligemma scenes --count 200 --seed 8 --format coco --size 224 -o held-out/\n"
                          "  paligemma scenes --count 50 --seed 9 --questions 3 --scale 0.5 -o small/ --force\n",
                      .run = run_scenes};

}  // namespace paligemma
