// stage 8/8: a scene -> pixels, or a vector drawing. All of cairo is behind this.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <vector>

#include "report/scene.h"
#include "report/typeset.h"

namespace paligemma {

// `picture` with `scene` over it, (scene.height, scene.width, 3). Pixels that nothing lies on are the picture's own.
// Throws Error{resource, "out_of_memory"}.
Picture paint(const Picture& picture, const Scene& scene, const Typesetter& typesetter);

// The same as SVG 1.1, one unit a pixel: the picture embedded as PNG or JPEG, whichever is smaller, shapes and letters
// as paths. At most 32767 pixels a side, a limit of cairo: else Error{usage, "picture_too_large"}.
std::vector<std::byte> paint_svg(const Picture& picture, const Scene& scene, const Typesetter& typesetter);

}  // namespace paligemma
