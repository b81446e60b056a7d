// What commands that write files share: what names a folder, and what can be known before hours of work are lost.
#pragma once

#include <filesystem>
#include <string>

namespace paligemma {

// A folder is what is one, ends in / or has no suffix.
bool names_folder(const std::filesystem::path& path);

// Makes it, and the folders that it lies in, where they are not there; empty for the current one. Throws Error{failure,
// "write_failed"} when that cannot be, or nothing can be written into it.
void make_folder(const std::filesystem::path& folder);

// Throws Error{usage, "file_exists"}, which --force would avoid, when the file is there.
void check_free(const std::filesystem::path& file);

// What the files of a picture are called, without suffix: its own name, or "stdin" for "-".
std::string picture_stem(const std::string& input);

}  // namespace paligemma
