// The masks of a COCO document alone, of polygons and both kinds of run lengths: its pictures need not be there.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/dataset.h"

namespace paligemma {

struct CocoMasks {
  std::vector<Problem> problems{};            // what was left out
  std::int64_t without_mask = 0, crowds = 0;  // annotations that are a box alone, or several things in one
};

// The mask of an object in its picture, and its box x1 y1 x2 y2, which is no longer than the picture.
using TakeMask = std::function<void(const Mask& mask, const std::array<double, 4>& box)>;

// Takes the objects in the order of the file, as targets are made of them. Throws Error{usage}: "data_not_found",
// "data_unknown" for a file of another form, "data_no_masks" where there is none, and as open_dataset() for a damaged
// one; and what `take` throws.
CocoMasks read_coco_masks(const std::filesystem::path& file, const TakeMask& take);

}  // namespace paligemma
