// What commands that write files share: what names a folder, and what can be known before hours of work are lost.
#pragma once

#include <filesystem>
#include <string>

namespace paligemma {

// A folder is what is one, ends in / or has no suffix.
bool names_folder(const std::filesystem::path& path);

// Throws Error{failure, "write_failed"} when nothing can be written into it; empty for the current one.
void check_writable(const std::filesystem::path& folder);

// Makes it where it is not there. Throws as check_writable().
void make_folder(const std::filesystem::path& folder);

// Throws Error{usage, "file_exists"}, which --force would avoid, when the file is there.
void check_free(const std::filesystem::path& file);

// What the files of a picture are called, without suffix: its own name, or "stdin" for "-".
std::string picture_stem(const std::string& input);

}  // namespace paligemma
