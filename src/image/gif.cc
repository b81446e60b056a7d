// GIF, by giflib: the first frame on its screen.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "image/formats.h"

namespace paligemma {
namespace {

struct Close {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, Close>;

int on_read(GifFileType* gif, GifByteType* to, int count) {
  Bytes& rest = *static_cast<Bytes*>(gif->UserData);
  const std::size_t n = std::min(rest.size(), static_cast<std::size_t>(count));
  std::memcpy(to, rest.data(), n);
  rest = rest.subspan(n);
  return static_cast<int>(n);
}

[[noreturn]] void fail_gif(int error) {
  const char* message = GifErrorString(error);
  fail_decode("truncated or damaged GIF: ", message != nullptr ? message : "unknown reason");
}

void check(const GifFileType& gif, int status) {
  if (status == GIF_ERROR) fail_gif(gif.Error);
}

// Goes to the first frame. The transparent index, if its graphics control extension names one.
std::optional<int> seek_frame(GifFileType& gif) {
  std::optional<int> transparent;
  for (;;) {
    GifRecordType record{};
    check(gif, DGifGetRecordType(&gif, &record));
    if (record == IMAGE_DESC_RECORD_TYPE) {
      check(gif, DGifGetImageDesc(&gif));
      return transparent;
    }
    if (record == TERMINATE_RECORD_TYPE) fail_decode("damaged GIF: it has no frame");
    int code = 0;
    GifByteType* block = nullptr;  // length, then data
    check(gif, DGifGetExtension(&gif, &code, &block));
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 && (block[1] & 1) != 0)
      transparent = block[4];
    while (block != nullptr) check(gif, DGifGetExtensionNext(&gif, &block));
  }
}

// The rows of a frame in the order in which they are stored.
std::vector<int> row_order(int height, bool interlaced) {
  struct Pass {
    int first, step;
  };
  std::vector<int> rows;
  const std::initializer_list<Pass> interlaced_passes = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, one_pass = {{0, 1}};
  for (const auto [first, step] : interlaced ? interlaced_passes : one_pass) {
    for (int y = first; y < height; y += step) rows.push_back(y);
  }
  return rows;
}

}  // namespace

// What the frame leaves free shows the transparent index, else index 0; a screen too small for it grows. Both as in
// Pillow.
Decoded decode_gif(Bytes file, std::int64_t max_pixels) {
  int error = 0;
  const Gif gif(DGifOpen(&file, on_read, &error));
  if (gif == nullptr) fail_gif(error);
  const std::optional<int> transparent = seek_frame(*gif);
  const GifImageDesc& frame = gif->Image;
  if (frame.Width <= 0 || frame.Height <= 0) fail_decode("damaged GIF: its frame is empty");
  const int width = std::max(gif->SWidth, frame.Left + frame.Width);
  const int height = std::max(gif->SHeight, frame.Top + frame.Height);
  check_size(width, height, max_pixels);

  Palette palette{};
  std::size_t count = 0;
  if (const ColorMapObject* map = frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap) {
    for (const GifColorType& color : std::span(map->Colors, map->ColorCount)) {
      palette[count++] = {color.Red, color.Green, color.Blue};
    }
  }
  continue_gray(palette, count);

  Picture picture = blank_picture(width, height);
  const std::uint8_t* background = palette[transparent.value_or(0)].data();
  for (std::size_t i = 0; i < picture.rgb.size(); i += 3) std::memcpy(&picture.rgb[i], background, 3);
  std::vector<GifPixelType> line(frame.Width);
  for (const int y : row_order(frame.Height, frame.Interlace)) {
    check(*gif, DGifGetLine(gif.get(), line.data(), frame.Width));
    std::uint8_t* to = &picture.rgb[(static_cast<std::size_t>(frame.Top + y) * width + frame.Left) * 3];
    for (const GifPixelType index : line) std::memcpy(to, palette[index].data(), 3), to += 3;
  }
  return {std::move(picture)};
}

}  // namespace paligemma
