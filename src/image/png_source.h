// A word in a PNG file about where its picture comes from: a tEXt chunk with the keyword "Source" behind the header.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// `png` is a whole file; `source` is ASCII.
std::vector<std::byte> with_source(std::span<const std::byte> png, std::string_view source);

// What with_source() wrote, read from the file's begin, of which kSourceBytes are enough; empty for everything else.
inline constexpr std::size_t kSourceBytes = 128;
std::string source_of(std::span<const std::byte> begin);

}  // namespace paligemma
