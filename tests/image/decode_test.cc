// golden/pictures/pillow13.json: per file the size and the CRC-32 of
//   numpy.asarray(Image.open(file).convert("RGB"))
// by Pillow 13.0.0 and, where it differs, of the same after ImageOps.exif_transpose. For the photographs the pixels
// were also held against the SHA-256 that came with them. variants/ are files of every form that the readers know, made
// by Pillow, by libjpeg-turbo (odd sampling factors, YCCK, arithmetic coding) and by a script (PNG of all depths,
// filters and interlacing; GIF with offsets and local palettes; BMP of all headers, masks and run lengths; PNM of all
// maxima).
#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

#include <concepts>
#include <fstream>
#include <string_view>

#include "io/file.h"
#include "support/crc32.h"
#include "support/golden.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;
using test::crc32;
using test::golden;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::uint32_t crc(const Picture& picture) { return crc32(std::span<const std::uint8_t>(picture.rgb)); }

// "kind code: message" of the error, or "".
template <std::invocable Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.kind())) + " " + error.code() + ": " + error.what();
  }
  return "";
}

std::string decode_error(std::span<const std::byte> bytes, std::int64_t max_pixels = 1 << 20) {
  return error_of([&] { decode_picture(bytes, {.max_pixels = max_pixels}); });
}

TEST(Decode, EqualsPillow) {
  const Json cases = test::golden_json("pictures/pillow13.json");
  ASSERT_EQ(cases.size(), 290u);
  for (const Json& c : cases) {
    const std::string file = c.at("file");
    SCOPED_TRACE(file);
    const Picture stored = read_picture(golden("pictures/" + file), {.apply_exif = false});
    EXPECT_EQ(stored.width, c.at("width"));
    EXPECT_EQ(stored.height, c.at("height"));
    EXPECT_EQ(crc(stored), c.at("crc"));
    const Picture upright = read_picture(golden("pictures/" + file));
    EXPECT_EQ(upright.width, c.value("upright_width", stored.width));
    EXPECT_EQ(crc(upright), c.value("upright_crc", c.at("crc").get<std::uint32_t>()));
  }
}

TEST(Decode, ATruncatedPictureIsAnErrorAndNeverHalfAPicture) {
  for (const char* name : {"astronaut.jpg", "coffee_progressive.jpg", "coffee_cmyk.jpg", "cat.png", "gray16.png",
                           "shapes_palette.png", "astronaut_lossy.webp", "shapes_lossless.webp", "shapes.gif",
                           "shapes.bmp", "variants/pnm_00_p6_17x33_100.pnm"}) {
    const FileBytes file = FileBytes::map(golden(std::string("pictures/") + name), ErrorKind::failure);
    for (const std::size_t permille : {10, 300, 500, 900, 980}) {
      const std::string error = decode_error(file.bytes().first(file.bytes().size() * permille / 1000));
      EXPECT_TRUE(error.starts_with("3 image_decode: cannot read the picture: "))
          << name << " " << permille << ": " << error;
    }
  }
}

TEST(Decode, AnyByteMayBeWrong) {
  for (const Json& c : test::golden_json("pictures/pillow13.json")) {
    const FileBytes file = FileBytes::map(golden("pictures/" + c.at("file").get<std::string>()), ErrorKind::failure);
    if (file.bytes().size() > 600) continue;
    std::vector<std::byte> damaged(file.bytes().begin(), file.bytes().end());
    for (std::size_t i = 0; i < damaged.size(); i += 3) {
      damaged[i] ^= std::byte{0xff};
      decode_error(damaged);  // a picture or an Error: nothing else may happen
      damaged[i] ^= std::byte{0xff};
    }
  }
}

TEST(Decode, TheSizeIsCheckedBeforeThePixels) {
  const FileBytes cat = FileBytes::map(golden("pictures/cat.png"), ErrorKind::failure);
  EXPECT_EQ(decode_error(cat.bytes(), 60000), "");
  EXPECT_EQ(decode_error(cat.bytes(), 59999),
            "3 image_too_large: cannot read the picture: expected at most 59999 pixels, got 300x200 = 60000");
  EXPECT_EQ(decode_error(cat.bytes().first(40), 59999),
            "3 image_decode: cannot read the picture: damaged PNG: the file is truncated");
  for (const char* name : {"astronaut.jpg", "astronaut_lossy.webp", "shapes.gif", "shapes.bmp"}) {
    const FileBytes file = FileBytes::map(golden(std::string("pictures/") + name), ErrorKind::failure);
    EXPECT_TRUE(decode_error(file.bytes(), 10).starts_with("3 image_too_large")) << name;
  }
  EXPECT_TRUE(decode_error(bytes_of("P6 30000 30000 255\n"), 178956970).starts_with("3 image_too_large"));
  EXPECT_TRUE(decode_error(bytes_of("P6 10000 10000 255\n"), 178956970).starts_with("3 image_decode"));
  EXPECT_TRUE(
      decode_error(bytes_of("P6 999999999 999999999 255\n"), std::int64_t{1} << 62).starts_with("3 image_decode"));
}

// A head that promises 12856x12856 pixels in 200 bytes: refused without allocating them.
TEST(Decode, APromiseThatTheFileCannotKeepIsTruncation) {
  const FileBytes file = FileBytes::map(golden("pictures/already_56.png"), ErrorKind::failure);
  std::vector<std::byte> png(file.bytes().begin(), file.bytes().end());
  png.resize(200);
  png[18] = std::byte{0x32}, png[22] = std::byte{0x32};  // IHDR: height and width, high bytes
  const std::uint32_t ihdr = crc32(std::span<const std::byte>(png).subspan(12, 17));
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<std::byte>(ihdr >> (24 - 8 * i));
  EXPECT_THAT(decode_error(png, 178956970), ::testing::HasSubstr("pixels cannot be in 200 bytes"));
}

TEST(Decode, NoPixelsAreAnError) {
  EXPECT_EQ(decode_error(bytes_of("P5 0 4 255\n")),
            "3 image_decode: cannot read the picture: expected a size of at least 1x1, got 0x4");
  EXPECT_EQ(decode_error(std::span<const std::byte>()), "3 image_decode: cannot read the picture: the file is empty");
  EXPECT_EQ(decode_error(bytes_of("%PDF-1.7 and so on")),
            "3 image_decode: cannot read the picture: expected PNG, JPEG, WebP, GIF, BMP or PPM, got something else");
}

TEST(Decode, NetpbmByHand) {
  const auto rgb = [](std::string_view text) { return decode_picture(bytes_of(text)).rgb; };
  using Rgb = std::vector<std::uint8_t>;
  EXPECT_EQ(rgb("P1 2 1 10"), (Rgb{0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(rgb("P2 1 #width\n1 15\n5"), (Rgb{85, 85, 85}));
  EXPECT_EQ(rgb("P2 1 1 1#2\n5 5"), (Rgb{85, 85, 85}));  // a comment within the number 15, as Pillow reads it
  EXPECT_EQ(rgb("P3 1 1 255 1 20 255#end"), (Rgb{1, 20, 255}));
  EXPECT_EQ(rgb("P2 1 1 1000 2"), (Rgb{131, 131, 131}));         // 2 / 1000 of 65535
  EXPECT_EQ(rgb("P2 1 1 1000 500"), (Rgb{255, 255, 255}));       // clipped, as Pillow clips 16-bit gray
  EXPECT_EQ(rgb("P3 1 1 1000 500 2 1000"), (Rgb{128, 1, 255}));  // 127.5 to even
  for (const char* bad : {"P1 1 1 2", "P2 1 1 15 16", "P2 1 1 0 0", "P2 1 1 70000 1", "P2 1 1 15 -1", "P2 1 1 15 x",
                          "P3 1 1 255 1 2", "P2 1 1 15", "P2 1", "P5 1 1 255 "}) {
    EXPECT_TRUE(decode_error(bytes_of(bad)).starts_with("3 image_decode")) << bad;
  }
}

// One blue-green-red pixel, a header that claims 200 colours, which no 24-bit picture has, and no padding at the end.
TEST(Decode, BmpWithoutThePaletteThatItClaims) {
  using namespace std::string_literals;
  const std::string bmp =
      "BM\x39\0\0\0\0\0\0\0\x36\0\0\0"
      "\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xc8\0\0\0\0\0\0\0"
      "\x01\x02\x03"s;
  EXPECT_EQ(decode_picture(bytes_of(bmp)).rgb, (std::vector<std::uint8_t>{3, 2, 1}));
}

TEST(ReadPicture, SaysWhyAFileCannotBeRead) {
  const fs::path folder = fs::path(::testing::TempDir());
  EXPECT_TRUE(error_of([&] { read_picture(folder / "no such picture.png"); }).starts_with("3 image_not_found: "));
  EXPECT_TRUE(error_of([&] { read_picture(folder); }).starts_with("3 image_unreadable: "));
  const fs::path file = folder / "decode_test.txt";
  std::ofstream(file) << "no picture";
  EXPECT_EQ(error_of([&] { read_picture(file); }),
            "3 image_decode: cannot read the picture: " + file.native() +
                ": expected PNG, JPEG, WebP, GIF, BMP or PPM, got something else");
  fs::remove(file);
}

}  // namespace
}  // namespace paligemma
