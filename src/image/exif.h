// The orientation tag of EXIF data, and turning a picture by it.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <span>

namespace paligemma {

// 1 to 8; 1 where the tag is absent or the data make no sense. `exif` is a TIFF structure, with or without the
// "Exif\0\0" that JPEG puts before it.
int exif_orientation(std::span<const std::byte> exif);

// The upright picture of one that was stored with this orientation.
Picture turn_upright(Picture picture, int orientation);

}  // namespace paligemma
