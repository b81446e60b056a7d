// Python's pickles of plain data, as JSON values: None, bool, int, float, str, list, tuple and dict with keys of text
// or whole numbers, in the protocols 0 to 5. Whatever would import or call something is refused, so that reading runs
// nothing. https://docs.python.org/3/library/pickletools.html has the opcodes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "io/json.h"

namespace paligemma {

// Tuples become lists. What is shared in the pickle is there as often as it is referred to, up to a size that the file
// justifies. Text of Python 2 that is not UTF-8 is taken for Latin-1. Throws Error{kind, "pickle"} that names `where`
// and the byte.
Json parse_pickle(std::span<const std::byte> bytes, std::string_view where, ErrorKind kind);

}  // namespace paligemma
