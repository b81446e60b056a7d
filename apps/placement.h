// Where -o puts pictures: one file that it names, or a folder with one file for each picture.
#pragma once

#include <paligemma/paligemma.h>

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace paligemma {

class Placement {
 public:
  // Puts nothing anywhere.
  Placement() = default;

  // `output` is what -o says (empty: nothing is drawn), `inputs` the path of each answer's first picture. A folder is
  // what is one, ends in / or has no suffix; it is made when it is not there. In it a picture gets its own name with
  // .png; when two would be the same, the later one becomes name-2.png. Throws Error{usage} for a suffix that is no
  // picture's, several pictures and one file, and, without `force`, names in the folder that are taken; `masks` says
  // that masks will be written too.
  Placement(const std::string& output, std::span<const std::string> inputs, bool masks, bool force);

  bool wanted() const { return !files_.empty(); }

  // Draws `result` over its picture, into the file of input `index`. Throws Error{failure, "write_failed"}.
  void write_drawing(std::size_t index, const Picture& picture, const Result& result) const;

  // In a folder, each mask as a gray PNG of the picture's size (255 inside), name.mask-1.png and so on by object. One
  // path for each object, empty without a mask; nothing at all when -o names a file.
  std::vector<std::string> write_masks(std::size_t index, const Result& result);

 private:
  void plan_folder(std::span<const std::string> inputs, bool masks);
  // The name that `stem` and `suffix` make, numbered when an earlier file has it.
  std::string claim(const std::string& stem, const std::string& suffix);

  std::filesystem::path folder_{};  // empty: one file
  std::vector<std::filesystem::path> files_{};
  std::set<std::string> taken_{};  // names in the folder that are given away
  bool force_ = false;
};

}  // namespace paligemma
