#include "io/json.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace paligemma {
namespace {

constexpr std::size_t kMaxDepth = 128;

// Receives the parser's events and builds the value. ordered_json's own insertion looks through all keys of an object
// for each new one; here keys are appended, and duplicates are looked for once, by sorting, when the object ends. (A
// hash set would be quadratic again for keys chosen to collide.)
class Builder : public nlohmann::json_sax<Json> {
 public:
  // Without `use` the whole value is kept in root(). `items` is whether long lists are handed over piece by piece.
  Builder(const JsonItem* use, bool items) : use_(use), items_(items) {}

  Json& root() { return root_; }
  const std::string& problem() const { return problem_; }
  bool stopped() const { return stopped_; }  // by `use`

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return refuse("binary value"); }

  bool start_object(std::size_t) override { return enter(Json::object()); }
  bool start_array(std::size_t) override {
    if (use_ && !items_ && open_.empty()) return refuse("expected an object, got an array");
    return enter(Json::array());
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_array() override { return leave(); }
  bool end_object() override {
    std::vector<std::string_view> keys;
    for (const auto& member : members(*open_.back())) keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) return refuse(join("the key \"", twice->substr(0, 100), "\" is there twice"));
    return leave();
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: reason; last read: '...'", where the end is
    // any number of raw bytes of the file.
    std::string_view text = error.what();
    text.remove_prefix(std::min(text.find("] ") + 2, text.size()));
    return refuse(std::string(text.substr(0, std::min<std::size_t>(text.find("; last read"), 200))));
  }

 private:
  using Members = Json::object_t::Container;  // a vector of pairs
  static Members& members(Json& object) { return object.get_ref<Json::object_t&>(); }

  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  // Puts the value where the parser is, and returns its place. That place does not move while the value is open.
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_array()) return parent.get_ref<Json::array_t&>().emplace_back(std::move(value));
    return members(parent).emplace_back(std::move(key_), std::move(value)).second;
  }

  bool put(Json value) {
    if (use_ && open_.empty()) return refuse("expected an object, got a single value");
    place(std::move(value));
    return complete();
  }

  bool enter(Json value) {
    if (open_.size() == kMaxDepth) return refuse(join("nested deeper than ", kMaxDepth, " levels"));
    open_.push_back(&place(std::move(value)));
    return true;
  }

  bool leave() {
    open_.pop_back();
    return complete();
  }

  // A value has ended: hands it over and forgets it, where it is a piece.
  bool complete() {
    if (!use_ || open_.empty() || open_.size() > 2) return true;
    if (open_.size() == 2 && !(items_ && root_.is_object() && open_.back()->is_array())) return true;
    if (open_.back()->is_array()) {
      Json::array_t& list = open_.back()->get_ref<Json::array_t&>();
      stopped_ = !(*use_)(root_.is_object() ? members(root_).front().first : std::string(), list.front());
      list.clear();
    } else {
      const auto& [key, value] = members(root_).front();
      if (!items_ || !value.is_array()) stopped_ = !(*use_)(key, value);
      members(root_).clear();
    }
    return !stopped_;
  }

  const JsonItem* use_;
  bool items_, stopped_ = false;
  Json root_;
  std::vector<Json*> open_;  // containers that are not complete yet, the outermost first
  std::string key_;
  std::string problem_;
};

Json parse(std::string_view text, std::string_view where, ErrorKind kind, const JsonItem* use, bool items) {
  Builder builder(use, items);
  if (!Json::sax_parse(text, &builder) && !builder.stopped())
    fail(kind, "json", "cannot read JSON: ", where, ": ", builder.problem());
  return std::move(builder.root());
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where, ErrorKind kind) {
  return parse(text, where, kind, nullptr, false);
}

void parse_json_members(std::string_view text, std::string_view where, ErrorKind kind, const JsonMember& use) {
  const JsonItem go_on = [&](const std::string& key, const Json& value) {
    use(key, value);
    return true;
  };
  parse(text, where, kind, &go_on, false);
}

void parse_json_items(std::string_view text, std::string_view where, ErrorKind kind, const JsonItem& use) {
  parse(text, where, kind, &use, true);
}

std::string indented(const Json& json) { return json.dump(2) + "\n"; }

double shortest_decimal(float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  double decimal = 0;
  std::from_chars(digits, end, decimal);
  return decimal;
}

std::string dump_json(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace paligemma
