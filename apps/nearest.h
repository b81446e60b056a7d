// The word a person most likely meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace paligemma {

// The number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, in bytes.
int edit_distance(std::string_view a, std::string_view b);

// The candidate with the smallest distance to `word`, the first of equals; empty when more than half of `word` would
// have to change.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace paligemma
