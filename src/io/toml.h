// The only place that knows the TOML library. Tables become JSON objects and back.
#pragma once

#include <string>
#include <string_view>

#include "io/json.h"

namespace paligemma {

// `where` names the text in messages. Dates, and numbers that JSON cannot hold, are refused. Throws Error{kind, "toml"}
// with the place and the reason.
Json parse_toml(std::string_view text, std::string_view where, ErrorKind kind);

// Of an object of strings, numbers, booleans, lists of these, and objects of the same. In the order of their names.
std::string dump_toml(const Json& object);

}  // namespace paligemma
