// The only place that knows the TOML library. Tables become JSON objects, and flat ones are written.
#pragma once

#include <string>
#include <string_view>

#include "io/json.h"

namespace paligemma {

// `where` names the text in messages. Dates, and numbers that JSON cannot hold, are refused. Throws Error{kind, "toml"}
// with the place and the reason.
Json parse_toml(std::string_view text, std::string_view where, ErrorKind kind);

// Of an object of strings, finite numbers, booleans and lists of these, whose names are letters, digits and _.
std::string dump_toml(const Json& object);

}  // namespace paligemma
