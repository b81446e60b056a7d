#include "data/checks.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/thread_pool.h"
#include "image/formats.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

std::string place_of(const Sample& sample) { return sample.id.empty() ? sample.picture.name : sample.id; }

void check_classes(const Dataset& data) {
  for (const std::string& name : data.classes) {
    try {
      prompt_text({.task = Task::detect, .labels = {name}});
    } catch (const Error& error) {
      fail(ErrorKind::usage, "bad_class", "cannot use the data: ", data.root.native(), ": class \"",
           name.substr(0, 100), "\": ", error.what(), ". Try: give the class another name");
    }
  }
}

// Rows that are not numbered are called by their picture.
void give_ids(Reading& reading) {
  std::unordered_set<std::string> taken;
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<Sample>& samples = reading.data.samples;
  for (const Sample& sample : samples)
    if (!sample.id.empty()) taken.insert(sample.id);
  for (Sample& sample : samples) {
    if (!sample.id.empty()) continue;
    do {
      const std::size_t number = ++numbers[sample.picture.name];
      sample.id = number == 1 ? sample.picture.name : join(sample.picture.name, "#", number);
    } while (!taken.insert(sample.id).second);
  }
  std::unordered_set<std::string_view> seen;
  std::vector<bool> again(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    again[i] = !seen.insert(samples[i].id).second;
    if (again[i])
      report(reading, "duplicate_id", samples[i].picture.name,
             "expected each id once, got " + samples[i].id + " again");
  }
  std::size_t at = 0;
  std::erase_if(samples, [&](const Sample&) { return again[at++]; });
}

// A picture without objects is an example of nothing to find; all else needs words.
bool has_answer(const Sample& sample) {
  if (sample.task == SampleTask::detect || sample.task == SampleTask::segment) return true;
  if (sample.task == SampleTask::refer) return !sample.objects.empty();
  if (sample.task == SampleTask::text && sample.answers.size() == 1 &&
      (sample.prefix.starts_with("detect ") || sample.prefix.starts_with("segment ")))
    return true;
  return std::ranges::any_of(sample.answers, [](const std::string& answer) { return !is_blank(answer); });
}

void check_answers(Reading& reading) {
  std::erase_if(reading.data.samples, [&](Sample& sample) {
    if (sample.task == SampleTask::caption) std::erase_if(sample.answers, is_blank);
    if (has_answer(sample)) return false;
    report(reading, "empty_answer", place_of(sample), "expected an answer, got none");
    return true;
  });
}

void check_objects(Reading& reading, Sample& sample) {
  const bool shares = sample.unit == Unit::shares;
  const double width = shares ? 1 : sample.width > 0 ? sample.width : INFINITY;
  const double height = shares ? 1 : sample.height > 0 ? sample.height : INFINITY;
  std::erase_if(sample.objects, [&](SampleObject& object) {
    const std::array<double, 4> was = object.box;
    const RunLengths& runs = object.shape.runs;
    if (sample.width > 0 && runs.height > 0 && (runs.width != sample.width || runs.height != sample.height)) {
      report(reading, "bad_shape", place_of(sample),
             join("expected run lengths of ", sample.width, " x ", sample.height, ", got ", runs.width, " x ",
                  runs.height));
      object.shape = {};
    }
    if (sample.task == SampleTask::segment && object.shape.empty() && !object.seg) {
      report(reading, "no_mask", place_of(sample), object.label + ": expected a mask, got a box alone");
      return true;
    }
    const char* problem = fit_box(object.box, width, height, shares ? 0.005 : 1);
    if (!problem) return false;
    report(reading, problem, place_of(sample),
           join(object.label, ": expected a box inside ", width, " x ", height, ", got x1 ", was[0], ", y1 ", was[1],
                ", x2 ", was[2], ", y2 ", was[3]));
    return problem != std::string_view("box_clipped");
  });
}

bool begins_like_a_picture(const fs::path& path) {
  std::array<char, 16> head;
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), head.size());
  return is_picture(std::as_bytes(std::span(head).first(static_cast<std::size_t>(file.gcount()))));
}

void check_pictures(Reading& reading) {
  std::unordered_map<std::string, std::size_t> places;
  std::vector<const fs::path*> paths;
  for (const Sample& sample : reading.data.samples)
    if (!sample.picture.in_labelme && places.emplace(sample.picture.path.native(), paths.size()).second)
      paths.push_back(&sample.picture.path);
  std::vector<char> good(paths.size());
  // What costs time is waiting for the disk: more threads than there are cores.
  constexpr std::size_t kMostReaders = 8, kWorthAReader = 64;
  ThreadPool pool(static_cast<int>(std::clamp(paths.size() / kWorthAReader, std::size_t{1}, kMostReaders)));
  pool.run(static_cast<std::int64_t>(paths.size()), [&](std::int64_t i, int) {
    good[static_cast<std::size_t>(i)] = begins_like_a_picture(*paths[static_cast<std::size_t>(i)]);
  });
  std::vector<bool> reported(paths.size());
  std::erase_if(reading.data.samples, [&](const Sample& sample) {
    const auto at = places.find(sample.picture.path.native());
    if (sample.picture.in_labelme || good[at->second]) return false;
    if (!reported[at->second])
      report(reading, "picture_unreadable", sample.picture.name,
             "expected PNG, JPEG, WebP, GIF, BMP or PPM, got something else");
    reported[at->second] = true;
    return true;
  });
}

bool is_of_objects(const Problem& problem) {
  return problem.code.starts_with("box_") || problem.code == "unknown_class" || problem.code == "no_mask";
}

// Where no object is left, all pictures would teach that there is nothing to find.
void check_any_object(const Dataset& data) {
  const auto has_object = [](const Sample& sample) { return !sample.objects.empty(); };
  const auto first = std::ranges::find_if(data.problems, is_of_objects);
  if (first == data.problems.end() || std::ranges::any_of(data.samples, has_object)) return;
  const auto without = std::ranges::count(data.problems, "no_mask", &Problem::code);
  if (without > 0)
    fail(ErrorKind::usage, "data_no_masks", "cannot learn masks from the data: ", data.root.native(),
         ": expected polygons or run lengths, got ", without, " boxes alone. Try: the task detect");
  const bool finds = std::ranges::all_of(data.samples, [](const Sample& sample) {
    return sample.task == SampleTask::detect || sample.task == SampleTask::refer;
  });
  if (finds)
    fail(ErrorKind::usage, "data_no_objects", "cannot learn boxes from the data: ", data.root.native(),
         ": expected objects, got none that can be used, the first problem: ", first->where, ": ", first->code, ": ",
         first->text);
}

[[noreturn]] void refuse_empty(const Dataset& data) {
  const auto empty = std::ranges::count(data.problems, "empty_answer", &Problem::code);
  if (empty > 0 && std::size_t(empty) * 2 >= data.problems.size())
    fail(ErrorKind::usage, "data_no_suffix", "cannot learn from the data: ", data.root.native(),
         ": expected a suffix, an answer, a caption or objects for each picture, got none in ", empty,
         " rows. Try: a column \"suffix\" with what the model is to write");
  if (data.problems.empty())
    fail(ErrorKind::usage, "data_empty", "cannot use the data: ", data.root.native(), ": expected samples, got none");
  const Problem& first = data.problems.front();
  fail(ErrorKind::usage, "data_empty", "cannot use the data: ", data.root.native(), ": expected samples, got none and ",
       data.problems.size(), " problems, the first: ", first.where, ": ", first.code, ": ", first.text);
}

}  // namespace

const char* fit_box(std::array<double, 4>& box, double width, double height, double slack) {
  for (const double side : box)
    if (!std::isfinite(side)) return "box_empty";
  if (box[0] >= box[2] || box[1] >= box[3]) return "box_empty";
  const std::array<double, 4> inside = {std::max(box[0], 0.0), std::max(box[1], 0.0), std::min(box[2], width),
                                        std::min(box[3], height)};
  if (inside[0] >= inside[2] || inside[1] >= inside[3]) return "box_outside";
  double cut = 0;
  for (std::size_t i = 0; i < box.size(); ++i) cut = std::max(cut, std::abs(box[i] - inside[i]));
  if (cut <= slack) return nullptr;
  box = inside;
  return "box_clipped";
}

void check_samples(Reading& reading) {
  Dataset& data = reading.data;
  check_classes(data);
  give_ids(reading);
  check_answers(reading);
  for (Sample& sample : data.samples) check_objects(reading, sample);
  check_any_object(data);
  std::erase_if(data.samples, [](const Sample& sample) {
    return sample.task == SampleTask::refer && sample.objects.empty();  // reported with its box
  });
  if (reading.options.check_pictures) check_pictures(reading);
  if (data.samples.empty()) refuse_empty(data);
}

}  // namespace paligemma
