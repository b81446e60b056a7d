// Bytes as text after RFC 4648.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// With padding: what a data URI holds.
std::string base64(std::span<const std::byte> bytes);

// White space is skipped, padding may be left out. Nothing for text that is no base64.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

}  // namespace paligemma
