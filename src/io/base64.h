// Bytes as text, RFC 4648 with padding: what a data URI holds.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace paligemma {

std::string base64(std::span<const std::byte> bytes);

}  // namespace paligemma
