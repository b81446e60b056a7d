// Masks as COCO's run lengths, and the pixels of COCO's polygons as pycocotools fills them.
//
// The pixels of the whole picture, column by column, are runs of 0 and 1 in turn, beginning with 0. As text a run is
// written as its difference to the run two before it (from the fourth run on), in groups of five bits, lowest first, as
// characters from '0' on: bit 5 says that more follow, bit 4 of the last one is the sign.
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

struct RunLengths {
  int width = 0, height = 0;  // of the picture; 0 where it is not known
  std::vector<std::uint32_t> counts{};
};

// The runs of a mask. Throws Error{usage, "mask"} for one that is not inside the picture, or is no mask.
RunLengths run_lengths(const Mask& mask, int picture_width, int picture_height);

// The runs of the pixels in any of the polygons x1 y1 x2 y2 ..., of which each is filled by the even-odd rule.
RunLengths fill_polygons(std::span<const std::vector<double>> polygons, int picture_width, int picture_height);

std::string run_lengths_text(const RunLengths& runs);
// Nothing for text that is none.
std::optional<std::vector<std::uint32_t>> read_run_lengths(std::string_view text);

// Whether the runs are as many pixels as the picture has, where its size is known.
bool fits(const RunLengths& runs);

// The pixels inside, and those inside both of two masks of pictures of one size.
std::int64_t pixels_inside(const RunLengths& runs);
std::int64_t pixels_inside(const RunLengths& a, const RunLengths& b);

}  // namespace paligemma
