#include "detect/mask.h"

#include <algorithm>
#include <cmath>

#include "base/resample.h"
#include "detect/mask_codec.h"

namespace paligemma {
namespace {

struct Interval {
  int begin = 0, end = 0;
};

Interval pixel_edges(int begin_loc, int end_loc, int side, int divisor, MaskProfile profile) {
  if (profile == MaskProfile::evaluator) {
    // The evaluator divides first and works in double.
    const auto truncated = [&](int loc) { return std::min(static_cast<int>(static_cast<double>(loc) / divisor * side), side); };
    return {truncated(begin_loc), truncated(end_loc)};
  }
  const auto rounded = [&](int loc) {
    return std::clamp(static_cast<int>(std::floor(static_cast<double>(loc) * side / divisor + 0.5)), 0, side);
  };
  Interval out{rounded(begin_loc), rounded(end_loc)};
  if (out.end <= out.begin) {
    out.begin = std::min(out.begin, side - 1);
    out.end = out.begin + 1;
  }
  return out;
}

// One number of pycocotools' string: 5 bits a character from the lowest, a sixth says that more follow.
void append_number(std::string& out, std::int64_t value) {
  while (true) {
    const auto bits = static_cast<char>(value & 0x1f);
    value >>= 5;
    const bool more = (bits & 0x10) ? value != -1 : value != 0;
    out.push_back(static_cast<char>((bits | (more ? 0x20 : 0)) + 48));
    if (!more) return;
  }
}

}  // namespace

Mask paste_mask(std::span<const float> map, const std::array<int, 4>& loc, const Frame& frame, MaskProfile profile) {
  const Interval y = pixel_edges(loc[0], loc[2], frame.height, frame.divisor, profile);
  const Interval x = pixel_edges(loc[1], loc[3], frame.width, frame.divisor, profile);
  Mask mask{.x = x.begin, .y = y.begin, .width = std::max(0, x.end - x.begin), .height = std::max(0, y.end - y.begin)};
  if (mask.width == 0 || mask.height == 0) return mask;
  const std::vector<float> resized = resample_bilinear(map, kMapSide, kMapSide, mask.width, mask.height);
  mask.inside.resize(resized.size());
  std::ranges::transform(resized, mask.inside.begin(), [](float value) { return value > 0 ? 1 : 0; });
  return mask;
}

// Lengths of runs down the columns, beginning with one of zeros; from the fourth on the difference to the one before the
// last, as pycocotools writes them.
std::string coco_rle(const Mask& mask, int picture_width, int picture_height) {
  std::vector<std::int64_t> runs;
  std::int64_t run = 0;
  std::uint8_t current = 0;
  const auto add = [&](std::uint8_t value, std::int64_t count) {
    if (count == 0) return;
    if (value != current) {
      runs.push_back(run);
      run = 0;
      current = value;
    }
    run += count;
  };
  add(0, std::int64_t{mask.x} * picture_height);
  for (int x = 0; x < mask.width; ++x) {
    add(0, mask.y);
    for (int y = 0; y < mask.height; ++y) add(mask.inside[static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.width) + static_cast<std::size_t>(x)], 1);
    add(0, picture_height - mask.y - mask.height);
  }
  add(0, std::int64_t{picture_width - mask.x - mask.width} * picture_height);
  runs.push_back(run);
  std::string out;
  for (std::size_t i = 0; i < runs.size(); ++i) append_number(out, i > 2 ? runs[i] - runs[i - 2] : runs[i]);
  return out;
}

// Follows the edges between pixels that have the inside on their right: outer rings run clockwise, holes the other way.
// At a corner where two pixels touch the way turns right, so that they stay apart.
std::vector<std::vector<double>> polygons(const Mask& mask) {
  enum Direction : int { right, down, left, up };
  constexpr int kStepX[] = {1, 0, -1, 0}, kStepY[] = {0, 1, 0, -1};
  const auto inside = [&](int x, int y) {
    return x >= 0 && y >= 0 && x < mask.width && y < mask.height &&
           mask.inside[static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.width) + static_cast<std::size_t>(x)] != 0;
  };
  // Bit d of a corner: an edge leaves it in direction d.
  const std::size_t stride = static_cast<std::size_t>(mask.width) + 1;
  std::vector<std::uint8_t> leaving(stride * (static_cast<std::size_t>(mask.height) + 1));
  const auto corner = [&](int x, int y) -> std::uint8_t& { return leaving[static_cast<std::size_t>(y) * stride + static_cast<std::size_t>(x)]; };
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) corner(x, y) |= 1 << right;
      if (!inside(x + 1, y)) corner(x + 1, y) |= 1 << down;
      if (!inside(x, y + 1)) corner(x + 1, y + 1) |= 1 << left;
      if (!inside(x - 1, y)) corner(x, y + 1) |= 1 << up;
    }

  std::vector<std::vector<double>> rings;
  for (int start_y = 0; start_y < mask.height; ++start_y)
    for (int start_x = 0; start_x < mask.width; ++start_x)
      while (corner(start_x, start_y) & 1 << right) {
        std::vector<double> ring;
        int x = start_x, y = start_y, direction = right, before = -1;
        do {
          if (direction != before) ring.insert(ring.end(), {double(mask.x + x), double(mask.y + y)});
          x += kStepX[direction], y += kStepY[direction];
          before = direction;
          for (const int turn : {1, 0, 3})
            if (corner(x, y) & 1 << (before + turn) % 4) {
              direction = (before + turn) % 4;
              break;
            }
          corner(x, y) &= static_cast<std::uint8_t>(~(1 << direction));
        } while (x != start_x || y != start_y || direction != right);  // the first edge is taken away last
        rings.push_back(std::move(ring));
      }
  return rings;
}

}  // namespace paligemma
