#include "data/listing.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestFolder = 8;
constexpr std::size_t kMostFiles = 20'000'000;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

}  // namespace

Listing list_files(const fs::path& root) {
  std::error_code error;
  const auto options = fs::directory_options::follow_directory_symlink | fs::directory_options::skip_permission_denied;
  fs::recursive_directory_iterator at(root, options, error);
  if (error)
    fail(ErrorKind::usage, "data_not_found", "cannot read the data: ", root.native(), ": expected a folder, got ",
         error.message());
  Listing listing{.root = root};
  for (const fs::recursive_directory_iterator end; at != end; at.increment(error)) {
    if (error) break;  // a folder that went away
    const bool hidden = at->path().filename().native().starts_with('.');
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      if (hidden || at.depth() >= kDeepestFolder) at.disable_recursion_pending();
    } else if (!hidden) {
      listing.files.push_back(at->path().lexically_relative(root).generic_string());
      if (listing.files.size() > kMostFiles)
        fail(ErrorKind::usage, "data_unknown", "cannot read the data: ", root.native(), ": expected at most ",
             kMostFiles, " files, got more. Try: the file of annotations itself");
    }
  }
  std::ranges::sort(listing.files);
  return listing;
}

std::string extension_of(std::string_view name) {
  name.remove_prefix(name.rfind('/') + 1);  // 0 without one
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos || dot == 0) return {};
  std::string extension(name.substr(dot));
  std::ranges::transform(extension, extension.begin(), lower);
  return extension;
}

bool is_picture_name(std::string_view name) {
  constexpr std::string_view kPictures[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp",
                                            ".gif", ".bmp",  ".ppm", ".pgm",  ".pbm", ".pnm"};
  const std::string extension = extension_of(name);
  return std::ranges::find(kPictures, extension) != std::end(kPictures);
}

Split split_of_word(std::string_view word) {
  std::string text(word);
  std::ranges::transform(text, text.begin(), lower);
  for (const std::string_view name : {"train", "training", "restval"})
    if (text == name) return Split::train;
  for (const std::string_view name : {"val", "valid", "validation", "dev", "minival"})
    if (text == name) return Split::validation;
  for (const std::string_view name : {"test", "testing", "testa", "testb"})
    if (text == name) return Split::test;
  return Split::none;
}

Split split_of_path(std::string_view path) {
  Split split = Split::none;
  for (std::size_t begin = 0; begin < path.size();) {
    if (!is_letter(path[begin])) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < path.size() && is_letter(path[end])) ++end;
    const Split said = split_of_word(path.substr(begin, end - begin));
    if (said != Split::none) split = said;
    begin = end;
  }
  return split;
}

}  // namespace paligemma
