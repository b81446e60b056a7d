// Files that are linked into the program. cmake/embed.cmake makes a function for each such folder:
//
//     std::span<const EmbeddedFile> embedded_pocket();   // declare it where it is used
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace paligemma {

struct EmbeddedFile {
  std::string_view name;             // relative to the folder
  std::span<const std::byte> bytes;  // begins at a multiple of 64
};

}  // namespace paligemma
