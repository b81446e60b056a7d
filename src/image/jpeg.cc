// JPEG, by libjpeg-turbo with its defaults (slow integer DCT, smooth upsampling), as Pillow uses it.
#include <cstring>
#include <string_view>

#include "image/exif.h"
#include "image/formats.h"
#include "image/libjpeg.h"

namespace paligemma {
namespace {

constexpr int kMaxScans = 500;  // a progressive file has a dozen; each one more costs a pass over all pixels
constexpr std::string_view kExif{"Exif\0\0", 6};

struct JpegReader {
  JpegReader() { jpeg_std_error(&errors); }
  JpegReader(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info); }

  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  Jump jump;
};

void on_message(j_common_ptr) {}

boolean on_end(j_decompress_ptr info) { leave_jpeg(reinterpret_cast<j_common_ptr>(info), "the file is truncated"); }

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) leave_jpeg(info, "more than 500 scans");
}

void read_header(JpegReader& reader, Bytes file) {
  const bool done = complete(reader.jump, [&] {
    jpeg_decompress_struct& info = reader.info;
    info.err = &reader.errors;
    info.client_data = &reader.jump;
    reader.errors.error_exit = on_jpeg_error;
    reader.errors.output_message = on_message;
    jpeg_create_decompress(&info);
    reader.progress.progress_monitor = on_progress;
    info.progress = &reader.progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    info.src->fill_input_buffer = on_end;  // the default makes up an end and goes on with gray
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&info, TRUE);
  });
  if (!done) fail_decode("damaged JPEG: ", reader.jump.message);
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::span<const JOCTET> data(marker->data, marker->data_length);
    if (data.size() > kExif.size() && std::memcmp(data.data(), kExif.data(), kExif.size()) == 0) {
      return exif_orientation(std::as_bytes(data));
    }
  }
  return 1;
}

// Every 8x8 block of the largest component takes at least a bit; only arithmetic coding can do with less.
bool can_be_whole(const jpeg_decompress_struct& info, std::size_t file_bytes) {
  return info.arith_code || std::uint64_t{info.image_width} * info.image_height / 64 / 8 <= file_bytes;
}

// a * b / 255, rounded.
std::uint8_t times(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
}

// A row of libjpeg's samples as RGB. CMYK is taken to be Adobe's, in which 255 is no ink, so that a sample times the
// sample of black is the colour; the rounding is that of Pillow, which turns the values over and takes ink from white.
void to_rgb(const std::uint8_t* row, int components, std::span<std::uint8_t> rgb) {
  for (std::size_t i = 0; i < rgb.size(); i += 3, row += components) {
    if (components == 1) {
      std::memset(&rgb[i], row[0], 3);
    } else {
      for (int c = 0; c < 3; ++c) rgb[i + c] = static_cast<std::uint8_t>(row[3] - times(255u - row[c], row[3]));
    }
  }
}

}  // namespace

Decoded decode_jpeg(Bytes file, std::int64_t max_pixels) {
  JpegReader reader;
  read_header(reader, file);
  jpeg_decompress_struct& info = reader.info;
  check_size(info.image_width, info.image_height, max_pixels);
  const int components = info.num_components;
  if (components != 1 && components != 3 && components != 4) {
    fail_decode("unsupported JPEG: expected 1, 3 or 4 components, got ", components);
  }
  if (!can_be_whole(info, file.size())) {
    fail_decode("truncated JPEG: ", info.image_width, "x", info.image_height, " pixels cannot be in ", file.size(),
                " bytes");
  }
  Decoded decoded{blank_picture(info.image_width, info.image_height), orientation_of(info)};
  std::vector<std::uint8_t> row(std::size_t{info.image_width} * components);
  info.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;

  const bool done = complete(reader.jump, [&] {
    jpeg_start_decompress(&info);
    const std::size_t stride = std::size_t{info.image_width} * 3;
    while (info.output_scanline < info.output_height) {
      std::uint8_t* rgb = &decoded.picture.rgb[info.output_scanline * stride];
      JSAMPROW to = components == 3 ? rgb : row.data();
      jpeg_read_scanlines(&info, &to, 1);
      if (components != 3) to_rgb(row.data(), components, {rgb, stride});
    }
    jpeg_finish_decompress(&info);
  });
  if (!done) fail_decode("damaged JPEG: ", reader.jump.message);
  return decoded;
}

}  // namespace paligemma
