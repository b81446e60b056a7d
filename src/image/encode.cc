#include "image/encode.h"

#include <png.h>
#include <webp/encode.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>

#include "base/error.h"
#include "image/libjpeg.h"

namespace paligemma {
namespace {

[[noreturn]] void fail_encode(const char* format, int width, int height, const char* reason) {
  fail(ErrorKind::failure, "image_encode", "cannot write the picture as ", format, ": ", width, "x", height,
       " pixels: ", reason);
}

std::vector<std::byte> encode_png(std::span<const std::uint8_t> samples, int width, int height, png_uint_32 format) {
  assert(samples.size() == static_cast<std::size_t>(width) * height * PNG_IMAGE_SAMPLE_CHANNELS(format));
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width), image.height = static_cast<png_uint_32>(height);
  image.format = format;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> bytes(size);
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, samples.data(), 0, nullptr) == 0) {
    fail_encode("PNG", width, height, image.message);
  }
  bytes.resize(size);
  return bytes;
}

struct JpegWriter {
  JpegWriter() { jpeg_std_error(&errors); }
  JpegWriter(const JpegWriter&) = delete;
  ~JpegWriter() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }

  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  Jump jump;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
};

std::vector<std::byte> encode_jpeg(const Picture& picture, int quality) {
  JpegWriter writer;
  const bool done = complete(writer.jump, [&] {
    jpeg_compress_struct& info = writer.info;
    info.err = &writer.errors;
    info.client_data = &writer.jump;
    writer.errors.error_exit = on_jpeg_error;
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &writer.bytes, &writer.size);
    info.image_width = static_cast<JDIMENSION>(picture.width),
    info.image_height = static_cast<JDIMENSION>(picture.height);
    info.input_components = 3, info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      auto* row = const_cast<JSAMPLE*>(&picture.rgb[std::size_t{3} * picture.width * info.next_scanline]);
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  });
  if (!done) fail_encode("JPEG", picture.width, picture.height, writer.jump.message);
  const auto* bytes = reinterpret_cast<const std::byte*>(writer.bytes);
  return {bytes, bytes + writer.size};
}

std::vector<std::byte> encode_webp(const Picture& picture, int quality) {
  std::uint8_t* data = nullptr;
  const std::size_t size = WebPEncodeRGB(picture.rgb.data(), picture.width, picture.height, picture.width * 3,
                                         static_cast<float>(quality), &data);
  if (size == 0) fail_encode("WebP", picture.width, picture.height, "at most 16383 a side are possible");
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> result(bytes, bytes + size);
  WebPFree(data);
  return result;
}

}  // namespace

std::vector<std::byte> encode_picture(const Picture& picture, std::string_view format, int quality) {
  assert(picture.rgb.size() == std::size_t{3} * picture.width * picture.height);
  if (format == "png") return encode_png(picture.rgb, picture.width, picture.height, PNG_FORMAT_RGB);
  if (format == "jpg" || format == "jpeg") return encode_jpeg(picture, quality);
  if (format == "webp") return encode_webp(picture, quality);
  fail(ErrorKind::usage, "image_format",
       "cannot write a picture: unknown format: expected png, jpg, jpeg or webp, got ", format);
}

std::vector<std::byte> encode_gray_png(std::span<const std::uint8_t> gray, int width, int height) {
  return encode_png(gray, width, height, PNG_FORMAT_GRAY);
}

}  // namespace paligemma
