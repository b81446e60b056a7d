#include "io/yaml.h"

#include <yaml.h>

#include <charconv>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

namespace paligemma {
namespace {

constexpr std::size_t kDeepestYaml = 64;

Json plain_scalar(std::string text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(begin, end, whole); read.ec == std::errc() && read.ptr == end) return whole;
  double number = 0;
  if (const auto read = std::from_chars(begin, end, number);
      read.ec == std::errc() && read.ptr == end && std::isfinite(number))
    return number;
  return text;
}

// The parser's events, one at a time.
class YamlEvents {
 public:
  YamlEvents(std::string_view text, std::string_view where, ErrorKind kind) : where_(where), kind_(kind) {
    if (!yaml_parser_initialize(&parser_)) throw std::bad_alloc();
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~YamlEvents() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  YamlEvents(const YamlEvents&) = delete;
  YamlEvents& operator=(const YamlEvents&) = delete;

  const yaml_event_t& next() {
    yaml_event_delete(&event_);
    event_ = {};
    if (!yaml_parser_parse(&parser_, &event_)) {
      event_ = {};
      refuse(parser_.problem ? parser_.problem : "no YAML", parser_.problem_mark.line);
    }
    return event_;
  }

  [[noreturn]] void refuse(std::string_view problem) const { refuse(problem, event_.start_mark.line); }

 private:
  [[noreturn]] void refuse(std::string_view problem, std::size_t line) const {
    fail(kind_, "yaml", "cannot read YAML: ", where_, ": line ", line + 1, ": ", problem);
  }

  yaml_parser_t parser_{};
  yaml_event_t event_{};
  std::string_view where_;
  ErrorKind kind_;
};

std::string scalar_text(const yaml_event_t& event) {
  return {reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length};
}

class YamlReader {
 public:
  explicit YamlReader(YamlEvents& events) : events_(events) {}

  // The value that `event`, the latest one, begins.
  Json value(const yaml_event_t& event, std::size_t depth) {
    if (depth > kDeepestYaml) events_.refuse("nested too deeply");
    switch (event.type) {
      case YAML_SCALAR_EVENT:
        check_plain(event.data.scalar.anchor, event.data.scalar.tag);
        return event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_scalar(scalar_text(event))
                                                                  : Json(scalar_text(event));
      case YAML_SEQUENCE_START_EVENT:
        check_plain(event.data.sequence_start.anchor, event.data.sequence_start.tag);
        return list(depth);
      case YAML_MAPPING_START_EVENT:
        check_plain(event.data.mapping_start.anchor, event.data.mapping_start.tag);
        return map(depth);
      default: events_.refuse("expected plain values, got an alias");
    }
  }

 private:
  void check_plain(const unsigned char* anchor, const unsigned char* tag) const {
    if (anchor || tag) events_.refuse("expected plain values, got an anchor or a tag");
  }

  Json list(std::size_t depth) {
    Json json = Json::array();
    for (;;) {
      const yaml_event_t& event = events_.next();
      if (event.type == YAML_SEQUENCE_END_EVENT) return json;
      json.push_back(value(event, depth + 1));
    }
  }

  Json map(std::size_t depth) {
    Json json = Json::object();
    std::set<std::string, std::less<>> keys;
    auto& members = json.get_ref<Json::object_t&>();
    for (;;) {
      const yaml_event_t& event = events_.next();
      if (event.type == YAML_MAPPING_END_EVENT) return json;
      if (event.type != YAML_SCALAR_EVENT) events_.refuse("expected a key of text");
      check_plain(event.data.scalar.anchor, event.data.scalar.tag);
      std::string key = scalar_text(event);
      if (!keys.insert(key).second) events_.refuse(join("the key \"", key.substr(0, 100), "\" is there twice"));
      Json member = value(events_.next(), depth + 1);
      static_cast<Json::object_t::Container&>(members).emplace_back(std::move(key), std::move(member));
    }
  }

  YamlEvents& events_;
};

}  // namespace

Json parse_yaml(std::string_view text, std::string_view where, ErrorKind kind) {
  YamlEvents events(text, where, kind);
  events.next();  // the stream's start
  if (events.next().type == YAML_STREAM_END_EVENT) return nullptr;
  YamlReader reader(events);
  Json json = reader.value(events.next(), 1);
  events.next();  // the document's end
  if (events.next().type != YAML_STREAM_END_EVENT) events.refuse("expected one document");
  return json;
}

}  // namespace paligemma
