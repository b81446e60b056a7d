// PNG, by libpng. https://www.w3.org/TR/png-3/
#include <png.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "image/exif.h"
#include "image/formats.h"
#include "image/jump.h"

namespace paligemma {
namespace {

struct PngReader {
  explicit PngReader(Bytes file) : rest(file) {}
  PngReader(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }

  Bytes rest;
  Jump jump;
  png_structp png = nullptr;
  png_infop info = nullptr;
};

void on_error(png_structp png, png_const_charp message) {
  Jump& jump = *static_cast<Jump*>(png_get_error_ptr(png));
  std::snprintf(jump.message, sizeof jump.message, "%s", message);
  std::longjmp(jump.place, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, std::size_t count) {
  Bytes& rest = *static_cast<Bytes*>(png_get_io_ptr(png));
  if (count > rest.size()) png_error(png, "the file is truncated");
  std::memcpy(to, rest.data(), count);
  rest = rest.subspan(count);
}

// Reads up to the pixels and asks for rows of RGB; palette indices and 16-bit gray are left for us.
void read_header(PngReader& reader) {
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.jump, on_error, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) fail(ErrorKind::resource, "out_of_memory", "libpng has no memory");
  const bool done = complete(reader.jump, [&] {
    png_structp png = reader.png;
    png_set_read_fn(png, &reader.rest, on_read);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // colour spaces and texts are not used
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);             // check_size decides
    png_read_info(png, reader.info);
    const int type = png_get_color_type(png, reader.info), depth = png_get_bit_depth(png, reader.info);
    png_set_interlace_handling(png);
    png_set_strip_alpha(png);
    if (type == PNG_COLOR_TYPE_PALETTE) {
      png_set_packing(png);
    } else if (type != PNG_COLOR_TYPE_GRAY || depth < 16) {
      png_set_strip_16(png);
      if (depth < 8) png_set_expand_gray_1_2_4_to_8(png);
      if ((type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(png);
    }
  });
  if (!done) fail_decode("damaged PNG: ", reader.jump.message);
}

Palette palette_of(const PngReader& reader) {
  Palette palette{};
  png_colorp colors = nullptr;
  int count = 0;
  png_get_PLTE(reader.png, reader.info, &colors, &count);
  for (int i = 0; i < count; ++i) palette[i] = {colors[i].red, colors[i].green, colors[i].blue};
  return palette;
}

std::uint32_t big_endian(Bytes bytes) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes.first(4)) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

// The eXIf chunk may also come after the pixels. Chunk: length, name, data, checksum.
int orientation_of(Bytes file) {
  for (Bytes rest = file.subspan(8); rest.size() >= 12;) {
    const std::size_t length = big_endian(rest);
    if (length > rest.size() - 12) break;
    if (std::memcmp(rest.data() + 4, "eXIf", 4) == 0) return exif_orientation(rest.subspan(8, length));
    rest = rest.subspan(12 + length);
  }
  return 1;
}

}  // namespace

Decoded decode_png(Bytes file, std::int64_t max_pixels) {
  PngReader reader(file);
  read_header(reader);
  const std::int64_t width = png_get_image_width(reader.png, reader.info);
  const std::int64_t height = png_get_image_height(reader.png, reader.info);
  check_size(width, height, max_pixels);
  // Deflate packs at most 1032 to 1: a header that promises more than the file can hold is refused before allocating.
  if (static_cast<std::int64_t>(png_get_rowbytes(reader.png, reader.info)) * height / 1032 >
      static_cast<std::int64_t>(file.size())) {
    fail_decode("truncated PNG: ", width, "x", height, " pixels cannot be in ", file.size(), " bytes");
  }

  const bool is_palette = png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_PALETTE;
  if (!complete(reader.jump, [&] { png_read_update_info(reader.png, reader.info); })) {
    fail_decode("damaged PNG: ", reader.jump.message);
  }
  const std::size_t row_bytes = png_get_rowbytes(reader.png, reader.info);
  const std::size_t pixels = static_cast<std::size_t>(width * height);
  std::vector<std::uint8_t> data(row_bytes * height);
  std::vector<png_bytep> rows(height);
  for (std::int64_t y = 0; y < height; ++y) rows[y] = data.data() + y * row_bytes;
  if (!complete(reader.jump, [&] { png_read_image(reader.png, rows.data()); })) {
    fail_decode("damaged PNG: ", reader.jump.message);
  }

  Picture picture;
  if (row_bytes == static_cast<std::size_t>(width) * 3) {
    picture = {static_cast<int>(width), static_cast<int>(height), std::move(data)};
  } else if (is_palette) {
    picture = blank_picture(width, height);
    const Palette palette = palette_of(reader);
    for (std::size_t i = 0; i < pixels; ++i) std::memcpy(&picture.rgb[i * 3], palette[data[i]].data(), 3);
  } else {
    picture = blank_picture(width, height);
    for (std::size_t i = 0; i < pixels; ++i) {
      std::memset(&picture.rgb[i * 3], data[i * 2] != 0 ? 255 : data[i * 2 + 1], 3);
    }
  }
  return {std::move(picture), orientation_of(file)};
}

}  // namespace paligemma
