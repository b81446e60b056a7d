// The only place that knows the JSON library.
//
// Parsing is strict: no comments, no trailing commas, no duplicate keys in one object, at most 128 levels deep, valid
// UTF-8. Objects keep the order of their keys.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace paligemma {

using Json = nlohmann::ordered_json;

// `where` names the text in messages (a path). Throws Error{kind, "json"} with the place and the reason.
Json parse_json(std::string_view text, std::string_view where, ErrorKind kind);

// Calls use(key, value) for each member of the object that `text` is, in order, and holds one value at a time: for
// headers with very many members. Duplicate keys of this outermost object are for `use` to find.
using JsonMember = std::function<void(const std::string& key, const Json& value)>;
void parse_json_members(std::string_view text, std::string_view where, ErrorKind kind, const JsonMember& use);

// Calls use(key, value) for the items of the outermost value, in order, and holds one at a time: the elements of an
// array (without a key), or the members of an object, of which one that is an array gives its elements one by one.
// `use` says whether to go on. For documents whose lists are very long; an empty one is not seen. Duplicate keys as
// above.
using JsonItem = std::function<bool(const std::string& key, const Json& value)>;
void parse_json_items(std::string_view text, std::string_view where, ErrorKind kind, const JsonItem& use);

// The shortest decimal number that is this float: 1e-06, where the float itself is 9.999999974752427e-07.
double shortest_decimal(float value);

// As files of people are: indented, with a newline at the end.
std::string indented(const Json& json);

// One line, invalid UTF-8 replaced by U+FFFD.
std::string dump_json(const Json& value);

}  // namespace paligemma
