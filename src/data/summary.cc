#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <unordered_set>

#include "base/error.h"
#include "base/random.h"
#include "data/dataset.h"
#include "report/printable.h"

namespace paligemma {
namespace {

// FNV-1a with a last mix: the same on every machine.
class Digest {
 public:
  Digest& add(std::string_view text) {
    add(text.size());
    for (const char c : text) step(static_cast<unsigned char>(c));
    return *this;
  }
  Digest& add(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) step(value >> (8 * i) & 0xff);
    return *this;
  }
  Digest& add(double value) { return add(std::bit_cast<std::uint64_t>(value)); }
  Digest& add(std::span<const double> values) {
    add(values.size());
    for (const double value : values) add(value);
    return *this;
  }
  std::uint64_t value() const { return splitmix64(hash_, 0); }

 private:
  void step(std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

void add_object(Digest& digest, const SampleObject& object) {
  digest.add(object.label).add(object.box).add(std::uint64_t{object.crowd});
  for (const auto& polygon : object.shape.polygons) digest.add(polygon);
  digest.add(std::uint64_t(object.shape.runs.counts.size()));
  for (const std::uint32_t count : object.shape.runs.counts) digest.add(std::uint64_t{count});
  if (object.seg)
    for (const int code : *object.seg) digest.add(std::uint64_t(code));
}

// In [0, 1).
double draw_of(const std::string& picture, std::uint64_t seed) {
  return uniform(Digest().add(seed).add(picture).value(), 0);
}

std::size_t pictures_in(const Dataset& data) {
  std::unordered_set<std::string_view> names;
  for (const Sample& sample : data.samples) names.insert(sample.picture.path.native());
  return names.size();
}

bool is_of_pictures(const Problem& problem) { return problem.code.starts_with("picture_"); }

// A picture that several rows name counts once.
std::size_t unreadable_in(const Dataset& data) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Problem& problem : data.problems)
    if (is_of_pictures(problem))
      seen.emplace(problem.text,
                   problem.code == "picture_unreadable" ? std::string_view(problem.where) : std::string_view());
  return seen.size();
}

std::string counted(std::size_t count, std::string_view noun) {
  return join(count, " ", noun, count == 1 ? "" : noun.ends_with("s") ? "es" : "s");
}

}  // namespace

std::size_t count_of(const Dataset& data, Split split) {
  return static_cast<std::size_t>(std::ranges::count(data.samples, split, &Sample::split));
}

void hold_out(Dataset& data, double share, std::uint64_t seed) {
  if (!(share >= 0 && share < 1))
    fail(ErrorKind::usage, "bad_value", "cannot hold data out: expected a share from 0 to below 1, got ", share);
  const bool has_own = share == 0 || count_of(data, Split::validation) > 0;
  for (Sample& sample : data.samples)
    if (sample.split == Split::none) sample.split = Split::train;
  if (has_own) return;
  std::map<std::string, double> draws;
  for (const Sample& sample : data.samples)
    if (sample.split != Split::test) draws.emplace(sample.picture.name, draw_of(sample.picture.name, seed));
  if (draws.size() < 2) return;
  const auto by_draw = [](const auto& a, const auto& b) { return a.second < b.second; };
  const double lowest = std::ranges::min_element(draws, by_draw)->second;
  const double highest = std::ranges::max_element(draws, by_draw)->second;
  for (Sample& sample : data.samples) {
    if (sample.split == Split::test) continue;
    const double draw = draws.at(sample.picture.name);
    sample.split = draw == lowest || (draw < share && draw != highest) ? Split::validation : Split::train;
  }
}

std::uint64_t fingerprint(const Dataset& data) {
  Digest digest;
  std::map<std::string_view, std::uint64_t> sizes;
  for (const std::string& name : data.classes) digest.add(name);
  for (const Sample& sample : data.samples) {
    const auto [size, is_new] = sizes.emplace(sample.picture.path.native(), 0);
    std::error_code error;
    if (is_new) size->second = std::filesystem::file_size(sample.picture.path, error);
    digest.add(sample.id).add(sample.picture.name).add(size->second).add(std::uint64_t(sample.task));
    digest.add(sample.prefix).add(sample.weight).add(std::uint64_t(sample.split)).add(std::uint64_t(sample.unit));
    digest.add(std::uint64_t(sample.answers.size())).add(std::uint64_t(sample.objects.size()));
    for (const std::string& answer : sample.answers) digest.add(answer);
    for (const SampleObject& object : sample.objects) add_object(digest, object);
  }
  return digest.value();
}

std::string summary(const Dataset& data, const std::string& listing) {
  std::string text = counted(pictures_in(data), "picture");
  if (!data.classes.empty()) text += ", " + counted(data.classes.size(), "class");
  const auto finds = [](const Sample& sample) {
    return sample.task == SampleTask::detect || sample.task == SampleTask::segment;
  };
  const auto without =
      std::ranges::count_if(data.samples, [&](const Sample& s) { return finds(s) && s.objects.empty(); });
  if (without > 0) text += join(", ", without, " without boxes");
  const std::size_t unreadable = unreadable_in(data);
  if (unreadable > 0) text += join(", ", unreadable, " unreadable");
  if (!data.problems.empty() && !listing.empty()) text += ": listed in " + listing;
  text += join("\n", data.form, ": ");
  std::string splits;
  for (const Split split : {Split::train, Split::validation, Split::test, Split::none})
    if (const std::size_t count = count_of(data, split); count > 0)
      splits += join(splits.empty() ? "" : ", ", counted(count, "sample"), split == Split::none ? "" : " ",
                     split == Split::none ? std::string_view() : split_name(split));
  text += splits;
  std::map<std::string_view, std::size_t> kinds;
  for (const Problem& problem : data.problems)
    if (!is_of_pictures(problem)) ++kinds[problem.code];
  for (const auto& [code, count] : kinds) text += join("\n", code, ": ", count);
  return text + "\n";
}

std::string problems_text(const Dataset& data) {
  std::string text;
  for (const Problem& problem : data.problems)
    text += join(problem.code, "\t", printable(problem.where), "\t", printable(problem.text), "\n");
  return text;
}

std::string_view task_name(SampleTask task) {
  switch (task) {
    case SampleTask::text: return "text";
    case SampleTask::caption: return "caption";
    case SampleTask::answer: return "answer";
    case SampleTask::detect: return "detect";
    case SampleTask::segment: return "segment";
    case SampleTask::refer: break;
  }
  return "refer";
}

std::string_view split_name(Split split) {
  switch (split) {
    case Split::train: return "train";
    case Split::validation: return "validation";
    case Split::test: return "test";
    case Split::none: break;
  }
  return "none";
}

}  // namespace paligemma
