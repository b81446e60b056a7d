#include "io/toml.h"

#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

#include <cmath>

namespace paligemma {
namespace {

struct TomlPlace {
  std::string_view where;
  ErrorKind kind;

  [[noreturn]] void refuse(const toml::source_position& at, std::string_view why) const {
    fail(kind, "toml", "not valid TOML: ", where, ": line ", at.line, ", column ", at.column, ": ", why);
  }
};

Json to_json(const toml::node& node, const TomlPlace& place) {
  if (const toml::table* table = node.as_table()) {
    Json out = Json::object();
    for (const auto& [key, value] : *table) out[std::string(key.str())] = to_json(value, place);
    return out;
  }
  if (const toml::array* array = node.as_array()) {
    Json out = Json::array();
    for (const toml::node& value : *array) out.push_back(to_json(value, place));
    return out;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return whole->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* real = node.as_floating_point(); real && std::isfinite(real->get())) return real->get();
  place.refuse(node.source().begin, "expected text, a finite number, true or false, a list or a table");
}

}  // namespace

Json parse_toml(std::string_view text, std::string_view where, ErrorKind kind) {
  const TomlPlace place{where, kind};
  try {
    return to_json(toml::parse(text), place);
  } catch (const toml::parse_error& error) {
    place.refuse(error.source().begin, error.description());
  }
}

// Values are written as JSON writes them, which TOML reads, but for one character.
std::string dump_toml(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    text += key + " = ";
    for (const char letter : dump_json(value)) letter == '\x7f' ? text += "\\u007f" : text += letter;
    text += '\n';
  }
  return text;
}

}  // namespace paligemma
