// stage 8/8: picture, result -> the picture with the result drawn on it. scene.h says where things go, paint.h how.
#include "base/error.h"
#include "image/encode.h"
#include "report/paint.h"

namespace paligemma {

std::vector<std::byte> draw(const Picture& picture, const Result& result, std::string_view format,
                            const DrawOptions& options) {
  constexpr int kQuality = 92;  // of lossy formats: small letters stay clean
  if (picture.width <= 0 || picture.height <= 0 ||
      picture.rgb.size() != 3 * static_cast<std::size_t>(picture.width) * picture.height)
    fail(ErrorKind::usage, "bad_picture", "drawing failed: picture: expected ", picture.width, "x", picture.height,
         " pixels of 3 bytes, got ", picture.rgb.size(), " bytes");
  const Typesetter typesetter;
  const Scene scene = lay_out(picture.width, picture.height, result, options,
                              [&](const TextBlock& block) { return typesetter.measure(block); });
  if (format == "svg") return paint_svg(picture, scene, typesetter);
  return encode_picture(paint(picture, scene, typesetter), format, kQuality);
}

}  // namespace paligemma
