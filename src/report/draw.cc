// stage 8/8: picture, result -> the picture with the result drawn on it. scene.h says where things go, paint.h how.
#include "base/error.h"
#include "base/memory.h"
#include "image/encode.h"
#include "report/paint.h"

namespace paligemma {
namespace {

// The libraries that set text (GLib, fontconfig) end the whole process where they can't get memory or a thread, so
// they are not called when that could happen. Each of their threads takes a stack and up to 128 MiB for its heap out of
// the address space, used or not.
void require_room(const Picture& picture) {
  constexpr std::uint64_t kText = std::uint64_t{512} << 20, kCopies = 4;
  const std::uint64_t needed = kText + kCopies * 4 * picture.rgb.size() / 3;
  if (available_address_space() < needed)
    fail(ErrorKind::resource, "out_of_memory", "not enough memory: drawing: needs ", readable_bytes(needed),
         " of address space, ", readable_bytes(available_address_space()), " are left. Try: ulimit -v unlimited");
}

}  // namespace

std::vector<std::byte> draw(const Picture& picture, const Result& result, std::string_view format,
                            const DrawOptions& options) {
  constexpr int kQuality = 92;  // of lossy formats: small letters stay clean
  if (picture.width <= 0 || picture.height <= 0 ||
      picture.rgb.size() != 3 * static_cast<std::size_t>(picture.width) * picture.height)
    fail(ErrorKind::usage, "bad_picture", "drawing failed: picture: expected ", picture.width, "x", picture.height,
         " pixels of 3 bytes, got ", picture.rgb.size(), " bytes");
  require_room(picture);
  const Typesetter typesetter;
  const Scene scene = lay_out(picture.width, picture.height, result, options,
                              [&](const TextBlock& block) { return typesetter.measure(block); });
  if (format == "svg") return paint_svg(picture, scene, typesetter);
  return encode_picture(paint(picture, scene, typesetter), format, kQuality);
}

void require_drawing() {}

}  // namespace paligemma
