// Separable resampling of pictures and maps, the same numbers as Pillow's Image.resize (libImaging/Resample.c): when a
// side shrinks the filter widens with it, so that every input sample counts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace paligemma {

// The values are Pillow's (and the `resample` of a Hugging Face preprocessor configuration).
enum class Filter { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };

// Which axis is resampled first. Each pass rounds, so the order is visible in the result.
enum class PassOrder {
  horizontal_first,  // Pillow up to 12.1
  by_shrinkage,      // Pillow from 12.2: vertical first where the height shrinks more than twice as much as the width
};

struct Size {
  int width = 0;
  int height = 0;
};

// (from.height, from.width, 3) -> (to.height, to.width, 3), 8 bits with 22-bit fixed-point weights. Sides are positive.
std::vector<std::uint8_t> resample_rgb(std::span<const std::uint8_t> in, Size from, Size to, Filter filter,
                                       PassOrder order);

// (in_height, in_width) -> (out_height, out_width) with the antialiased bilinear filter, sums in double, each pass
// rounded to float: Pillow's mode F, pass order by shrinkage. Sides are positive.
std::vector<float> resample_bilinear(std::span<const float> in, int in_width, int in_height, int out_width,
                                     int out_height);

}  // namespace paligemma
