// The files below a folder, and what their names say.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/sample.h"

namespace paligemma {

struct Listing {
  std::filesystem::path root;
  std::vector<std::string> files;  // relative to the root, with "/", in order
};

// Hidden files and folders are left out, and what lies deeper than 8 folders. Throws Error{usage, "data_not_found"} for
// what is no folder or cannot be read, "data_unknown" for more than 20 million files.
Listing list_files(const std::filesystem::path& root);

// ".jpg" of "a/B.JPG", lower case; empty without one.
std::string extension_of(std::string_view name);
bool is_picture_name(std::string_view name);

// What the words of a path say: "annotations/instances_val2017.json" is validation. The last word that says something
// counts.
Split split_of_path(std::string_view path);
// "train", "val", "valid", "validation", "dev", "minival", "test", "testA" ..., in any case.
Split split_of_word(std::string_view word);

}  // namespace paligemma
