// Every picture format and the picture settings with their files cut and changed (support/mutations.h).
#include <paligemma/paligemma.h>

#include <string>

#include "image/preprocessor.h"
#include "support/crc32.h"
#include "support/golden.h"
#include "support/mutations.h"

namespace paligemma {
namespace {

using test::expect_survives;
using test::file_content;
using test::golden;

using Bytes = std::span<const std::byte>;

constexpr std::int64_t kMaxPixels = 1 << 20;

// A header may claim as many pixels as are allowed; what is held for each is the picture, turned by its EXIF data.
constexpr std::size_t kMemory = 8 * kMaxPixels;

std::string picture(Bytes bytes) {
  const Picture picture = decode_picture(bytes, {.max_pixels = kMaxPixels});
  EXPECT_EQ(picture.rgb.size(), std::size_t{3} * picture.width * picture.height);
  return join(picture.width, 'x', picture.height, ' ', test::crc32(std::span<const std::uint8_t>(picture.rgb)));
}

TEST(DamagedFiles, Pictures) {
  for (const char* name : {
           "shapes.png",
           "variants/png_49_7x5_ct0_d1_i1_t0.png",
           "variants/png_01_pil_i_16.png",
           "cat_exif_rotated.jpg",
           "cat_gray.jpg",
           "coffee_cmyk.jpg",
           "shapes_lossless.webp",
           "variants/webp_00_rgba_1x1_q90_m4.webp",
           "astronaut_lossy.webp",
           "shapes.gif",
           "variants/gif_16_gif.gif",
           "variants/bmp_29_bf32_1x1_hs56_0xff000000_0xff0000_0xff00_0xf.bmp",
           "variants/bmp_54_9x17_b1_hs12_tdfalse_gap6_c0.bmp",
           "variants/pnm_36_p4.pnm",
           "variants/pnm_25_p6_2x3_255.pnm",
       }) {
    SCOPED_TRACE(name);
    expect_survives(file_content(golden(join("pictures/", name))), ErrorKind::input, picture,
                    {.changed = 256, .memory = kMemory});
  }
}

TEST(DamagedFiles, PictureSettings) {
  const std::string settings = file_content(GOLDEN_DIR "/models/pg2/preprocessor_config.json");
  for (const std::string name : {"preprocessor_config.json", "processor_config.json"}) {
    SCOPED_TRACE(name);
    const std::string file = name == "preprocessor_config.json" ? settings : "{\"image_processor\":" + settings + "}";
    const auto read = [&](Bytes bytes) {
      const Folder folder{.name = "x",
                          .has = [&](std::string_view wanted) { return wanted == name; },
                          .open = [&](std::string_view) { return FileBytes::borrow(bytes); }};
      const Preprocessor p = read_preprocessor(folder, 56);
      std::string digest = join(static_cast<int>(p.filter), ' ', p.normalization.rescale);
      for (const float value : p.normalization.mean) digest += join(' ', value);
      for (const float value : p.normalization.std) digest += join(' ', value);
      return digest;
    };
    expect_survives(file, ErrorKind::model, read, {.changed = 4000});
  }
}

}  // namespace
}  // namespace paligemma
