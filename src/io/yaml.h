// YAML as JSON values, read by libyaml: one document of maps, lists and scalars. Anchors, aliases and tags are refused.
#pragma once

#include <string_view>

#include "io/json.h"

namespace paligemma {

// Plain scalars are what YAML's core schema says (null, true, false, numbers, else text), quoted ones are text. Keys
// are text: of `0: cow` it is "0". An empty document is null. Throws Error{kind, "yaml"} that names `where` and the
// line.
Json parse_yaml(std::string_view text, std::string_view where, ErrorKind kind);

}  // namespace paligemma
