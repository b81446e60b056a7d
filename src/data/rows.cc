// Rows in JSON: a line each, or the elements of lists. CSV: a row each, its header the keys.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "data/row.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostColumns = 1000;

// Whether each line is a row of its own, rather than all a document.
bool is_lines(std::string_view text, const fs::path& file) {
  const std::string extension = extension_of(file.generic_string());
  if (extension == ".jsonl" || extension == ".ndjson") return true;
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos || text[begin] != '{') return false;
  try {
    return !member(parse_json(text.substr(begin, text.find('\n', begin) - begin), "", ErrorKind::usage), "data");
  } catch (const Error&) {
    return false;
  }
}

void read_lines(Reading& reading, std::string_view text, const fs::path& file) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const std::string where = join(shown(reading, file), ":", ++number);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    try {
      add_row(reading, parse_json(line, where, ErrorKind::usage), file, where);
    } catch (const Error& error) {
      if (error.code() != "json") throw;
      report(reading, "bad_row", where, error.what());
    }
  }
}

char separator_of(std::string_view header) {
  header = header.substr(0, header.find('\n'));
  const auto count = [&](char c) { return std::ranges::count(header, c); };
  return count('\t') > count(',') ? '\t' : count(';') > count(',') ? ';' : ',';
}

std::string plain_key(std::string_view text) {
  std::string key(text);
  key.erase(key.find_last_not_of(" \t") + 1);
  key.erase(0, key.find_first_not_of(" \t"));
  std::ranges::transform(key, key.begin(), [](unsigned char c) { return c < 0x80 ? std::tolower(c) : c; });
  return key;
}

// Objects of one picture stand on rows of their own, as report/annotations.h writes them.
class BoxTable {
 public:
  static bool is_header(const std::vector<std::string>& keys) {
    return std::ranges::all_of(std::initializer_list<std::string_view>{"path", "label", "x1", "y1", "x2", "y2"},
                               [&](std::string_view key) { return std::ranges::count(keys, key) > 0; });
  }

  void add(Reading& reading, const Json& row, const std::string& where) {
    const std::string name = member_text(row, "path");
    const auto [at, is_new] = places_.emplace(name, samples_.size());
    if (is_new) samples_.push_back({.picture = {.name = name}, .task = objects_task(reading)});
    SampleObject object{.label = member_text(row, "label")};
    constexpr std::array kSides = {"x1", "y1", "x2", "y2"};
    for (std::size_t i = 0; i < kSides.size(); ++i) {
      const std::string text = member_text(row, kSides[i]);
      const char* end = text.data() + text.size();
      const auto read = std::from_chars(text.data(), end, object.box[i]);
      if (read.ec != std::errc() || read.ptr != end)
        return report(reading, "box_empty", where, join("expected a number as ", kSides[i], ", got ", text));
    }
    if (const std::string runs = member_text(row, "rle"); !runs.empty()) {
      if (auto shape = shape_of_coco(Json{{"counts", runs}})) {
        object.shape = std::move(*shape);
      } else {
        report(reading, "bad_shape", where, "expected COCO's run lengths");
      }
    }
    if (object.label.empty()) object.label = "object";
    add_class(reading, object.label);
    samples_[at->second].objects.push_back(std::move(object));
  }

  void finish(Reading& reading, const fs::path& file) {
    for (Sample& sample : samples_) {
      const std::string where = join(shown(reading, file), ": ", sample.picture.name);
      sample.split = split_of(reading, file);
      add_sample(reading, std::move(sample), file.parent_path(), where);
    }
  }

 private:
  std::vector<Sample> samples_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace

void read_rows(Reading& reading, const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  std::string_view text = bytes.text();
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (is_lines(text, file)) return read_lines(reading, text, file);
  std::size_t number = 0;
  parse_json_items(text, shown(reading, file), ErrorKind::usage, [&](const std::string& key, const Json& row) {
    if (key.empty() || key == "data") add_row(reading, row, file, join(shown(reading, file), ": row ", ++number));
    return true;
  });
}

void read_table(Reading& reading, const fs::path& file) {
  const FileBytes bytes = read_annotations(file);
  std::vector<std::string> keys;
  BoxTable boxes;
  bool of_boxes = false;
  const auto use = [&](std::size_t line, std::span<const std::string> fields) {
    if (keys.empty()) {
      for (const std::string& field : fields) keys.push_back(plain_key(field));
      if (keys.size() > kMostColumns)
        fail(ErrorKind::usage, "csv", "cannot read CSV: ", shown(reading, file), ": expected at most ", kMostColumns,
             " columns, got ", keys.size());
      of_boxes = BoxTable::is_header(keys);
      return;
    }
    const std::string where = join(shown(reading, file), ":", line);
    if (fields.size() != keys.size())
      return report(reading, "bad_row", where, join("expected ", keys.size(), " fields, got ", fields.size()));
    Json row = Json::object();
    for (std::size_t i = 0; i < keys.size(); ++i) row[keys[i]] = fields[i];
    // An empty field is one that is not there, but for a suffix.
    for (auto at = row.begin(); at != row.end();)
      at = at.key() != "suffix" && at->get_ref<const std::string&>().empty() ? row.erase(at) : std::next(at);
    of_boxes ? boxes.add(reading, row, where) : add_row(reading, row, file, where);
  };
  parse_csv(bytes.text(), shown(reading, file), ErrorKind::usage, separator_of(bytes.text()), use);
  boxes.finish(reading, file);
}

}  // namespace paligemma
