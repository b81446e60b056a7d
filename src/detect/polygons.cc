// Outlines of a mask along the edges of its pixels. Filling all rings of a mask by the even-odd rule gives the mask
// back exactly. The mask is to the right of a ring's direction: outer rings run clockwise as seen on the picture, holes
// against it. Pixels that touch at a corner only belong to different outer rings.
#include <array>

#include "detect/mask.h"

namespace paligemma {
namespace {

struct Move {
  int x, y;
};

// Directions in clockwise order: right, down, left, up.
constexpr std::array<Move, 4> kMove{{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}};
// The pixel ahead on the left of a corner where one arrives in each direction, as an offset to the corner; the one
// ahead on the right is that of the next direction.
constexpr std::array<Move, 4> kAheadLeft{{{0, -1}, {0, 0}, {-1, 0}, {-1, -1}}};

class Tracer {
 public:
  explicit Tracer(const Mask& mask) : mask_(mask), seen_(mask.inside.size()) {}

  // True where a ring not yet traced runs along the upper edge of pixel (x, y).
  bool starts(int x, int y) const { return inside(x, y) && !inside(x, y - 1) && !seen_[index(x, y)]; }

  // The ring that runs rightwards along the upper edge of pixel (x, y), its corners in pixels of the picture.
  std::vector<double> trace(const int x, const int y) {
    std::vector<double> ring;
    Move at{x, y};
    int direction = 0;
    do {
      if (direction == 0) seen_[index(at.x, at.y)] = true;
      at = {at.x + kMove[direction].x, at.y + kMove[direction].y};
      const int right = (direction + 1) % 4;
      int turned = direction;
      if (!inside(at, kAheadLeft[right])) {
        turned = right;
      } else if (inside(at, kAheadLeft[direction])) {
        turned = (direction + 3) % 4;
      }
      if (turned != direction) {
        ring.push_back(static_cast<double>(mask_.x) + at.x);
        ring.push_back(static_cast<double>(mask_.y) + at.y);
        direction = turned;
      }
    } while (at.x != x || at.y != y || direction != 0);
    return ring;
  }

 private:
  bool inside(int x, int y) const {
    return x >= 0 && y >= 0 && x < mask_.width && y < mask_.height && mask_.inside[index(x, y)] != 0;
  }
  bool inside(Move corner, Move offset) const { return inside(corner.x + offset.x, corner.y + offset.y); }
  std::size_t index(int x, int y) const { return std::size_t(y) * mask_.width + x; }

  const Mask& mask_;
  std::vector<bool> seen_;  // the pixels whose upper edge is part of a ring already traced
};

}  // namespace

std::vector<std::vector<double>> polygons(const Mask& mask) {
  check_mask(mask);
  std::vector<std::vector<double>> rings;
  Tracer tracer(mask);
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      if (tracer.starts(x, y)) rings.push_back(tracer.trace(x, y));
  return rings;
}

std::vector<double> outline(const Mask& mask) {
  const std::vector<std::vector<double>> rings = polygons(mask);
  if (rings.empty()) return {};
  std::vector<double> joined = rings.front();
  const auto go_to_start = [&](const std::vector<double>& ring) {
    joined.insert(joined.end(), ring.begin(), ring.begin() + 2);
  };
  for (std::size_t i = 1; i < rings.size(); ++i) {
    go_to_start(rings.front());
    joined.insert(joined.end(), rings[i].begin(), rings[i].end());
    go_to_start(rings[i]);
  }
  return joined;
}

}  // namespace paligemma
