// The colours of drawings.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace paligemma {

struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Rgb&) const = default;
};

// One colour for a label, the same in every picture: asked labels take the palette's twelve in turn; a label that the
// model invented takes the one of the second six that its spelling hashes to, so that it meets no asked label's colour
// unless more than six were asked.
Rgb label_colour(std::string_view label, std::optional<int> label_index);

// Black or white, whichever stands out more on `ground` (contrast of WCAG 2; at least 4.5 on any colour).
Rgb ink_on(Rgb ground);

}  // namespace paligemma
