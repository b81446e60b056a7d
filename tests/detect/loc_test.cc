#include "detect/loc.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "support/errors.h"

namespace paligemma {
namespace {

using testing::ElementsAre;

TEST(Loc, OfABoxIsTheNearestNumber) {
  // 1023 / 1280 and 1023 / 853 a pixel: y1 213.5 -> 256.05, x1 320.3 -> 255.99, y2 640.4 -> 768.03, x2 960.9 -> 767.97.
  EXPECT_THAT(loc_of({320.3, 213.5, 960.9, 640.4}, {1280, 853}), ElementsAre(256, 256, 768, 768));
  EXPECT_THAT(loc_of({0, 0, 448, 300}, {448, 300}), ElementsAre(0, 0, 1023, 1023));
  // With 1024 the far edge has no number of its own; 219 px -> 500.57, 84 px -> 192.
  EXPECT_THAT(loc_of({84, 219, 448, 448}, {448, 448, 1024}), ElementsAre(501, 192, 1023, 1023));
  // Half way between two: the even one. 1 of 2046 is 0.5, 3 is 1.5.
  EXPECT_THAT(loc_of({1, 3, 5, 7}, {2046, 2046}), ElementsAre(2, 0, 4, 2));
  EXPECT_THAT(loc_of({-20, -1e300, 500, 1e300}, {448, 448}), ElementsAre(0, 0, 1023, 1023));
}

TEST(Loc, ReadBackGivesTheSame) {
  for (const int divisor : {1023, 1024}) {
    const Frame frame{1280, 853, divisor};
    for (int number = 0; number < 1024; ++number) {
      const std::array<int, 4> loc{number, 1023 - number, number, number};
      EXPECT_EQ(loc_of(box_of(loc, frame), frame), loc);
    }
  }
}

TEST(Loc, BoxIsClippedToThePicture) {
  EXPECT_THAT(box_of({0, 341, 1023, 682}, {30, 12}), ElementsAre(10, 0, 20, 12));
  EXPECT_THAT(box_of({512, 256, 1023, 1023}, {8, 4, 512}), ElementsAre(4, 4, 8, 4));
}

TEST(Loc, TokensHaveFourDigits) { EXPECT_EQ(loc_text({0, 7, 42, 1023}), "<loc0000><loc0007><loc0042><loc1023>"); }

TEST(Region, LiesInsideThePicture) {
  const Frame frame{448, 300};
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  EXPECT_NO_THROW(check_region({0, 0, 448, 300}, frame, "a.png"));
  EXPECT_NO_THROW(check_region({0.25, 1, 0.5, 2}, frame, "a.png"));
  for (const std::array<double, 4>& box : {std::array<double, 4>{-1, 0, 5, 5},
                                           {0, -0.5, 5, 5},
                                           {0, 0, 448.5, 5},
                                           {0, 0, 5, 301},
                                           {5, 0, 5, 5},
                                           {0, 9, 5, 5},
                                           {nan, 0, 5, 5},
                                           {0, 0, 5, nan},
                                           {0, 0, infinity, 5},
                                           {-infinity, 0, 5, 5}})
    expect_error(ErrorKind::usage, "region", "a.png: expected x1,y1,x2,y2 with x1 < x2 and y1 < y2 inside 448 x 300",
                 [&] { check_region(box, frame, "a.png"); });
}

}  // namespace
}  // namespace paligemma
