#include "data/picture_finder.h"

#include <algorithm>
#include <utility>

namespace paligemma {
namespace {

namespace fs = std::filesystem;

// As this system writes it, whoever wrote it.
std::string plain_name(std::string_view name) {
  std::string plain(name);
  std::ranges::replace(plain, '\\', '/');
  while (plain.starts_with("./")) plain.erase(0, 2);
  return plain;
}

std::string name_in(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string stem_of(const std::string& name) { return name.substr(0, name.size() - extension_of(name).size()); }

// Whether the last folders of `path` are those of `name`, without "..".
bool ends_like(std::string_view path, std::string_view name) {
  while (name.starts_with("../")) name.remove_prefix(3);
  return path.ends_with(name) && (path.size() == name.size() || path[path.size() - name.size() - 1] == '/');
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

PictureFinder::PictureFinder(Listing listing, fs::path first)
    : listing_(std::move(listing)), first_(std::move(first)) {}

PictureFinder::Found PictureFinder::find(std::string_view text, const fs::path& near) {
  if (text.find("://") != text.npos) return {.problem = "picture_url"};
  const std::string name = plain_name(text);
  if (name.empty() || name.find('\0') != name.npos) return {.problem = "picture_missing"};
  std::vector<fs::path> folders;
  if (!first_.empty()) folders.push_back(first_);
  for (const char* beside : {"", "images", "JPEGImages", "../images", "../JPEGImages"})
    folders.push_back(*beside ? near / beside : near);
  const bool whole = is_picture_name(name);
  for (const fs::path& folder : folders)
    for (const char* extension : {".jpg", ".png", ".jpeg", ".webp", ".bmp"}) {
      // Of an absolute name this is the name.
      const fs::path path = (folder / (whole ? name : name + extension)).lexically_normal();
      if (is_file(path)) return {.path = path};
      if (whole) break;
    }
  return find_anywhere(name);
}

PictureFinder::Found PictureFinder::find_anywhere(const std::string& name) {
  index();
  const bool whole = is_picture_name(name);
  const auto& table = whole ? by_name_ : by_stem_;
  const auto at = table.find(name_in(name));
  if (at == table.end()) return {.problem = "picture_missing"};
  std::vector<const std::string*> files = at->second;
  if (files.size() > 1 && whole) std::erase_if(files, [&](const std::string* file) { return !ends_like(*file, name); });
  if (files.size() != 1) return {.problem = "picture_ambiguous"};
  return {.path = listing_.root / *files.front()};
}

void PictureFinder::index() {
  if (std::exchange(indexed_, true)) return;
  if (listing_.files.empty()) listing_ = list_files(listing_.root);
  const bool inside = !first_.empty() && !fs::proximate(first_, listing_.root).native().starts_with("..");
  if (!first_.empty() && !inside) {
    for (const std::string& file : list_files(first_).files)
      listing_.files.push_back((fs::absolute(first_) / file).generic_string());
  }
  for (const std::string& file : listing_.files) {
    if (!is_picture_name(file)) continue;
    const std::string name = name_in(file);
    by_name_[name].push_back(&file);
    by_stem_[stem_of(name)].push_back(&file);
  }
}

}  // namespace paligemma
