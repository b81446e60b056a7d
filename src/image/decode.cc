// stage 1/8: file bytes -> upright (height, width, 3), 8 bits. The form is told from the first bytes.
#include <limits>
#include <new>
#include <string_view>

#include "image/exif.h"
#include "image/formats.h"
#include "io/file.h"

namespace paligemma {
namespace {

using Decoder = Decoded (*)(Bytes, std::int64_t);

bool is_pnm(std::string_view head) {
  return head.size() >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
         (head[2] == ' ' || (head[2] >= '\t' && head[2] <= '\r'));
}

// A null pointer for what none reads.
Decoder decoder_for(Bytes file) {
  const std::string_view head(reinterpret_cast<const char*>(file.data()), file.size());
  if (head.starts_with("\x89PNG\r\n\x1a\n")) return decode_png;
  if (head.starts_with("\xff\xd8\xff")) return decode_jpeg;
  if (head.starts_with("RIFF") && head.substr(0, 12).ends_with("WEBP")) return decode_webp;
  if (head.starts_with("GIF87a") || head.starts_with("GIF89a")) return decode_gif;
  if (head.starts_with("BM")) return decode_bmp;
  return is_pnm(head) ? decode_pnm : nullptr;
}

Decoder decoder_of(Bytes file) {
  if (const Decoder decoder = decoder_for(file)) return decoder;
  if (file.empty()) fail_decode("the file is empty");
  fail_decode("expected PNG, JPEG, WebP, GIF, BMP or PPM, got something else");
}

// More than any picture within the default limit of pixels takes; far less than what would be read by mistake.
constexpr std::size_t kMaxFileBytes = std::size_t{2} << 30;

// `where` names the picture in messages and ends in ": ", or is empty.
Picture decode(Bytes file, const DecodeOptions& options, const std::string& where) {
  try {
    Decoded decoded = decoder_of(file)(file, options.max_pixels);
    return options.apply_exif ? turn_upright(std::move(decoded.picture), decoded.orientation)
                              : std::move(decoded.picture);
  } catch (const Error& error) {
    fail(error.kind(), error.code(), "cannot read the picture: ", where, error.what());
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::resource, "out_of_memory", "cannot read the picture: ", where, "its pixels do not fit in memory");
  }
}

FileBytes open_picture(const std::filesystem::path& path) {
  try {
    return FileBytes::read(path, ErrorKind::input, kMaxFileBytes);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    throw Error(error.kind(), error.code() == "file_not_found" ? "image_not_found" : "image_unreadable", error.what());
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::resource, "out_of_memory", "cannot read the picture: ", path.native(),
         ": it does not fit in memory");
  }
}

}  // namespace

bool is_picture(Bytes head) { return decoder_for(head) != nullptr; }

void continue_gray(Palette& palette, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (palette[i] !=
        std::array{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i)}) {
      return;
    }
  }
  for (std::size_t i = count; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(i));
}

void check_size(std::int64_t width, std::int64_t height, std::int64_t max_pixels) {
  constexpr std::int64_t kLongest = std::numeric_limits<int>::max();
  if (width <= 0 || height <= 0 || width > kLongest || height > kLongest) {
    fail_decode("expected a size of at least 1x1, got ", width, "x", height);
  }
  if (width > max_pixels / height) {
    fail(ErrorKind::input, "image_too_large", "expected at most ", max_pixels, " pixels, got ", width, "x", height,
         " = ", width * height);
  }
}

Picture blank_picture(std::int64_t width, std::int64_t height) {
  return {static_cast<int>(width), static_cast<int>(height),
          std::vector<std::uint8_t>(static_cast<std::size_t>(width * height) * 3)};
}

Picture decode_picture(std::span<const std::byte> bytes, const DecodeOptions& options) {
  return decode(bytes, options, "");
}

Picture read_picture(const std::filesystem::path& path, const DecodeOptions& options) {
  const FileBytes file = open_picture(path);
  return decode(file.bytes(), options, path.native() + ": ");
}

}  // namespace paligemma
