// Where the pictures of a data set lie: annotations name them relative to folders that only habit tells.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/listing.h"

namespace paligemma {

class PictureFinder {
 public:
  // `first` is looked into before any other folder; empty: none. The listing is that of the data set, without files
  // when DATA is a file: then its folder is listed when it is needed.
  PictureFinder(Listing listing, std::filesystem::path first);

  struct Found {
    std::filesystem::path path{};   // empty where there is none
    const char* problem = nullptr;  // "picture_missing", "picture_url" or "picture_ambiguous"
  };
  // `near` is the folder of the file that names the picture. In order: the name as a path; below the first folder,
  // `near`, its neighbours "images", "JPEGImages" and "../images"; and any file of the listing with that name, of
  // several the one whose path ends like the name. A name without an extension finds one with the extension of a
  // picture.
  Found find(std::string_view name, const std::filesystem::path& near);

 private:
  void index();
  Found find_anywhere(const std::string& name);

  Listing listing_;
  std::filesystem::path first_;
  bool indexed_ = false;
  // By file name, and by file name without its extension: places in the listing.
  std::unordered_map<std::string, std::vector<const std::string*>> by_name_, by_stem_;
};

}  // namespace paligemma
