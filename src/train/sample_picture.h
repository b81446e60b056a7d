// stage 8/8 in small: a picture with what a model found in it, for a report.
#pragma once

#include <paligemma/paligemma.h>

#include <cstddef>
#include <vector>

namespace paligemma {

// A JPEG of at most kSampleSide pixels a side, with the boxes, masks and labels of `result` drawn over it; without them
// in a library that cannot draw.
inline constexpr int kSampleSide = 512;
std::vector<std::byte> sample_picture(const Picture& picture, const Result& result);

// The picture and what lies in it at most `side` pixels a side; as they are where they fit already.
Picture fitted(const Picture& picture, int side);
Object scaled(const Object& object, double across, double down);

}  // namespace paligemma
