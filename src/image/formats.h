// The readers of picture files, one a format. All take the whole file and refuse, as Error{input}, what they cannot
// read: "image_decode" for truncated or damaged bytes, "image_too_large" from the header alone. Their messages hold the
// reason only; decode.cc puts the picture's name before it.
//
// The pixels are those of Pillow's Image.open(...).convert("RGB"): alpha and transparency are dropped, gray is
// repeated, 16-bit gray is clipped at 255 and 16-bit colour keeps its high byte.
#pragma once

#include <paligemma/paligemma.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"

namespace paligemma {

using Bytes = std::span<const std::byte>;

// A picture as it is stored, and the EXIF orientation (1 to 8) that makes it upright.
struct Decoded {
  Picture picture;
  int orientation = 1;
};

Decoded decode_png(Bytes file, std::int64_t max_pixels);
Decoded decode_jpeg(Bytes file, std::int64_t max_pixels);
Decoded decode_webp(Bytes file, std::int64_t max_pixels);  // the first frame of an animation
Decoded decode_gif(Bytes file, std::int64_t max_pixels);   // the first frame on its screen
Decoded decode_bmp(Bytes file, std::int64_t max_pixels);
Decoded decode_pnm(Bytes file, std::int64_t max_pixels);  // P1 to P6

// Whether a file that begins so is for one of them.
bool is_picture(Bytes head);

template <class... Parts>
[[noreturn]] void fail_decode(Parts&&... parts) {
  fail(ErrorKind::input, "image_decode", std::forward<Parts>(parts)...);
}

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

// Where all `count` entries are the gray of their own index, so are the rest: Pillow reads such a picture as a gray
// one. Else an index past the file's palette is black.
void continue_gray(Palette& palette, std::size_t count);

// Throws unless 0 < width * height <= max_pixels and both sides fit an int.
void check_size(std::int64_t width, std::int64_t height, std::int64_t max_pixels);

// A black picture. The size has been checked.
Picture blank_picture(std::int64_t width, std::int64_t height);

}  // namespace paligemma
