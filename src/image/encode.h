// Pictures as files in memory.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace paligemma {

// `format` is "png", "jpg", "jpeg" or "webp"; `quality`, 1 to 100, matters to the latter three. JPEG keeps its colours
// at full resolution, since thin coloured lines are what is drawn. Throws Error{usage, "image_format"} for another
// format, Error{failure, "image_encode"} for a picture that the format cannot hold (WebP: 16383 pixels a side, JPEG:
// 65500).
std::vector<std::byte> encode_picture(const Picture& picture, std::string_view format, int quality = 90);

// (height, width) gray, 8 bits.
std::vector<std::byte> encode_gray_png(std::span<const std::uint8_t> gray, int width, int height);

}  // namespace paligemma
