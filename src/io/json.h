// The only place that knows the JSON library.
//
// Parsing is strict: no comments, no trailing commas, no duplicate keys in one object, at most 128 levels deep, valid
// UTF-8. Objects keep the order of their keys.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace paligemma {

using Json = nlohmann::ordered_json;

// `where` names the text in messages (a path). Throws Error{kind, "json"} with the place and the reason.
Json parse_json(std::string_view text, std::string_view where, ErrorKind kind);

// One line, invalid UTF-8 replaced by U+FFFD.
std::string dump_json(const Json& value);

}  // namespace paligemma
