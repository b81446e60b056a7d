// Bytes written as text after RFC 4648.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace paligemma {

// White space is skipped, padding may be left out. Nothing for text that is no base64.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

}  // namespace paligemma
