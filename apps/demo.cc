// paligemma demo: every task on the pictures inside the program.
#include <array>
#include <filesystem>

#include "base/error.h"
#include "contact_sheet.h"
#include "demo_scenes.h"
#include "folders.h"
#include "io/file.h"
#include "model/pocket.h"
#include "options.h"
#include "report/printable.h"
#include "signals.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kResultsFile = "results.jsonl";
constexpr std::string_view kSheetFile = "index.html";

std::string drawing_name(const DemoScene& scene, Task task) { return join(scene.name, ".", name(task), ".png"); }

bool is_drawn(Task task) { return task == Task::detect || task == Task::segment; }

void check_folder(const fs::path& folder, bool force) {
  make_folder(folder);
  std::vector<std::string> files = {std::string(kResultsFile), std::string(kSheetFile)};
  for (const DemoScene& scene : demo_scenes()) {
    for (const Task task : {Task::detect, Task::segment}) files.push_back(drawing_name(scene, task));
  }
  for (const std::string& file : files) {
    if (!force) check_free(folder / file);
  }
}

// Columns on a terminal: Hangul and the like take two.
std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 || byte >= 0xc0) width += byte >= 0xe1 ? 2 : 1;
  }
  return width;
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t used = display_width(text);
  return text + std::string(used < width ? width - used : 1, ' ');
}

class Demo {
 public:
  Demo(fs::path folder, Session& session) : folder_(std::move(folder)), session_(session) {}

  void show(Model& model, const DemoScene& scene);
  void write_files() const;

 private:
  void print(const DemoScene& scene, std::span<const Result> results);

  fs::path folder_;
  Session& session_;
  std::string lines_;  // of results.jsonl
  std::vector<SheetPicture> sheet_;
};

void Demo::show(Model& model, const DemoScene& scene) {
  const std::string path = std::string(scene.name) + ".png";
  const FileBytes file = pocket_folder().open(scene.file);
  const SharedPicture picture = decode_picture(file.bytes());
  std::vector<Request> requests = demo_requests(scene);
  for (Request& request : requests) request.pictures.push_back({path, picture});
  const std::vector<Result> results = model.answer(requests, [] { return terminated(); });

  SheetPicture& sheet = sheet_.emplace_back(SheetPicture{.title = path});
  for (const Result& result : results) {
    lines_ += dump_json(result_json(result)) + "\n";
    sheet.answers.push_back({result.prompt, demo_answer(result)});
    if (!is_drawn(result.task)) continue;
    const std::string drawing = drawing_name(scene, result.task);
    write_file(folder_ / drawing, draw(picture, result, "png"), true);
    sheet.files.push_back(drawing);
  }
  print(scene, results);
}

void Demo::print(const DemoScene& scene, std::span<const Result> results) {
  if (session_.output.format != Format::text) {
    for (const Result& result : results) session_.output.result(result);
    return;
  }
  std::string text = join(scene.name, ".png\n");
  for (const Result& result : results) text += "  " + padded(result.prompt, 42) + printable(demo_answer(result)) + "\n";
  session_.output.write(text);
}

void Demo::write_files() const {
  write_file(folder_ / kResultsFile, std::as_bytes(std::span(lines_)), true);
  const std::string sheet = contact_sheet(sheet_);
  write_file(folder_ / kSheetFile, std::as_bytes(std::span(sheet)), true);
}

int run_demo(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  AnswerOptions options;
  arguments.flag("Output", "--force", options.force, "Overwrite the files of an earlier demo");
  add_session_options(arguments, session);
  add_model_options(arguments, options);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  const fs::path folder = words->empty() ? "paligemma-demo" : words->front();
  require_drawing();
  check_folder(folder, options.force);
  session.output.several = true;
  Demo demo(folder, session);
  Model model = open_model(options);
  defer_signals(true);
  for (const DemoScene& scene : demo_scenes()) {
    if (interrupted()) break;
    if (scene.file == kPocketPhotograph && model.info().name == kPocketName)
      session.console.note(
          join(scene.file, " is a real photograph: the embedded model has never seen such, and guesses"));
    demo.show(model, scene);
  }
  demo.write_files();
  session.output.close();
  session.console.note(join("annotated pictures: ", (folder / kSheetFile).string()));
  return signal_exit_code();
}

}  // namespace

const Command kDemo{.name = "demo",
                    .words = "[DIR]",
                    .most_words = 1,
                    .summary = "Do every task on the pictures inside the program; results go to DIR (paligemma-demo)",
                    .examples =
                        "  paligemma demo\n"
                        "  paligemma demo out/ --force\n",
                    .run = run_demo};

}  // namespace paligemma
