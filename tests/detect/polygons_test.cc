#include <gmock/gmock.h>

#include <random>

#include "detect/mask.h"

namespace paligemma {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Fills rings by the even-odd rule: a pixel is inside when a ray from its middle to the left crosses an odd number of
// edges. A seam that is walked there and back is crossed twice or never, also where it is slanted.
std::vector<std::uint8_t> fill(const std::vector<std::vector<double>>& rings, const Mask& like) {
  std::vector<std::uint8_t> inside(like.inside.size());
  for (const auto& ring : rings) {
    for (std::size_t i = 0; i < ring.size(); i += 2) {
      const std::size_t next = (i + 2) % ring.size();
      for (int y = 0; y < like.height; ++y) {
        const double middle = like.y + y + 0.5;
        if ((middle < ring[i + 1]) == (middle < ring[next + 1])) continue;
        // From the upper end to the lower one, so that both ways along a seam round the same.
        const std::size_t top = ring[i + 1] < ring[next + 1] ? i : next, bottom = top == i ? next : i;
        const double share = (middle - ring[top + 1]) / (ring[bottom + 1] - ring[top + 1]);
        const double crossing = ring[top] + share * (ring[bottom] - ring[top]);
        for (int x = 0; x < like.width; ++x)
          inside[std::size_t(y) * like.width + x] ^= like.x + x + 0.5 > crossing ? 1 : 0;
      }
    }
  }
  return inside;
}

double signed_area(const std::vector<double>& ring) {
  double sum = 0;
  for (std::size_t i = 0; i < ring.size(); i += 2) {
    const std::size_t next = (i + 2) % ring.size();
    sum += ring[i] * ring[next + 1] - ring[next] * ring[i + 1];
  }
  return sum / 2;
}

TEST(Polygons, WorkedByHand) {
  EXPECT_THAT(polygons({}), IsEmpty());
  EXPECT_THAT(polygons({3, 4, 2, 1, {0, 0}}), IsEmpty());
  EXPECT_THAT(polygons({3, 4, 2, 1, {1, 1}}), ElementsAre(ElementsAre(5, 4, 5, 5, 3, 5, 3, 4)));
  // An L, and a ring with a hole of one pixel.
  EXPECT_THAT(polygons({0, 0, 2, 2, {1, 0, 1, 1}}), ElementsAre(ElementsAre(1, 0, 1, 1, 2, 1, 2, 2, 0, 2, 0, 0)));
  EXPECT_THAT(polygons({10, 0, 3, 3, {1, 1, 1, 1, 0, 1, 1, 1, 1}}),
              ElementsAre(ElementsAre(13, 0, 13, 3, 10, 3, 10, 0), ElementsAre(12, 2, 12, 1, 11, 1, 11, 2)));
  // Two pixels that touch at a corner are two rings.
  EXPECT_THAT(polygons({0, 0, 2, 2, {1, 0, 0, 1}}),
              ElementsAre(ElementsAre(1, 0, 1, 1, 0, 1, 0, 0), ElementsAre(2, 1, 2, 2, 1, 2, 1, 1)));
}

TEST(Outline, WorkedByHand) {
  EXPECT_THAT(outline({3, 4, 2, 1, {0, 0}}), IsEmpty());
  EXPECT_THAT(outline({3, 4, 2, 1, {1, 1}}), ElementsAre(5, 4, 5, 5, 3, 5, 3, 4));
  // Two pixels that touch at a corner: the first ring, back to its start, the second ring, back to its start.
  EXPECT_THAT(outline({0, 0, 2, 2, {1, 0, 0, 1}}),
              ElementsAre(1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 2, 1, 2, 2, 1, 2, 1, 1, 2, 1));
}

TEST(Polygons, FillingThemGivesTheMaskBack) {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    Mask mask{static_cast<int>(random() % 50), static_cast<int>(random() % 50), 1 + static_cast<int>(random() % 23),
              1 + static_cast<int>(random() % 23)};
    const unsigned density = random() % 101;
    for (int i = 0; i < mask.width * mask.height; ++i) mask.inside.push_back(random() % 100 < density);
    const auto rings = polygons(mask);
    ASSERT_EQ(fill(rings, mask), mask.inside) << "round " << round;
    ASSERT_EQ(fill({outline(mask)}, mask), mask.inside) << "round " << round;
    // Outer rings and holes turn in opposite directions, so that their signed areas add up to the mask's.
    double area = 0;
    for (const auto& ring : rings) area += signed_area(ring);
    ASSERT_EQ(area, std::count(mask.inside.begin(), mask.inside.end(), 1)) << "round " << round;
  }
}

TEST(Polygons, RefusesAMaskWhosePixelsAreMissing) { EXPECT_THROW(polygons({0, 0, 3, 3, {1}}), Error); }

}  // namespace
}  // namespace paligemma
