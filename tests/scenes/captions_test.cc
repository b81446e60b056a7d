// What is said about a scene.
#include <gmock/gmock.h>

#include <set>

#include "scenes/korean.h"
#include "test_scenes.h"

namespace paligemma::test {
namespace {

TEST(World, HasWhatItPromises) {
  EXPECT_GE(world::things().size(), 30u);
  EXPECT_EQ(world::places().size(), 8u);
  EXPECT_EQ(world::colours().size(), 6u);
  EXPECT_GE(world::latin_words().size(), 40u);
  EXPECT_GE(world::hangul_words().size(), 20u);
  EXPECT_EQ(world::things()[world::sign_place()].name, "sign");
  std::set<std::string_view> english, korean;
  for (const world::Thing& thing : world::things()) {
    EXPECT_TRUE(english.insert(thing.name).second) << thing.name;
    EXPECT_TRUE(korean.insert(thing.korean).second) << thing.korean;
    EXPECT_FALSE(thing.counter.empty()) << thing.name;
  }
}

TEST(Korean, ParticlesFollowTheLastSound) {
  EXPECT_EQ(world::with_subject("소"), "소가");
  EXPECT_EQ(world::with_subject("말"), "말이");
  EXPECT_EQ(world::with_subject("닭"), "닭이");
  EXPECT_EQ(world::with_subject("거북"), "거북이");
  EXPECT_EQ(world::with_topic("고양이"), "고양이는");
  EXPECT_EQ(world::with_topic("표지판"), "표지판은");
  EXPECT_EQ(world::with_and("게"), "게와");
  EXPECT_EQ(world::with_and("공"), "공과");
  EXPECT_FALSE(world::ends_in_consonant("STOP"));
  EXPECT_FALSE(world::ends_in_consonant(""));
  EXPECT_TRUE(world::ends_in_consonant("힣"));   // the last syllable of Unicode
  EXPECT_FALSE(world::ends_in_consonant("가"));  // the first one
}

TEST(Phrases, CountAndColour) {
  const int cow = thing_called("cow"), sheep = thing_called("sheep"), car = thing_called("car");
  EXPECT_EQ(world::phrase_of({cow, -1, 1}), "a cow");
  EXPECT_EQ(world::phrase_of({sheep, -1, 3}), "three sheep");
  EXPECT_EQ(world::phrase_of({thing_called("apple"), -1, 1}), "an apple");
  EXPECT_EQ(world::phrase_of({thing_called("umbrella"), colour_called("red"), 1}), "a red umbrella");
  EXPECT_EQ(world::phrase_of({car, colour_called("purple"), 4}), "four purple cars");
  EXPECT_EQ(world::korean_phrase_of({cow, -1, 1}), "소");
  EXPECT_EQ(world::korean_phrase_of({car, colour_called("red"), 2}), "빨간 자동차 두 대");
  EXPECT_EQ(world::korean_phrase_of({thing_called("flower"), -1, 4}), "꽃 네 송이");
}

TEST(Captions, OfABeach) {
  const world::Scene scene = beach_scene();
  EXPECT_EQ(world::caption_text(scene, "en"), "a cow, two red cars and a sign on the beach");
  EXPECT_EQ(world::caption_text(scene, "ko"), "해변에 소와 빨간 자동차 두 대와 표지판이 있다");
  EXPECT_EQ(world::alt_text(scene), "cow, two red cars and sign on the beach");
  EXPECT_EQ(world::description_text(scene, "en"),
            "a picture of a beach. on the left there is a cow. in the middle there is a red car. "
            "on the right there is a red car. a blue sign says STOP.");
  EXPECT_EQ(world::description_text(scene, "ko"),
            "해변 사진이다. 왼쪽에 소가 있다. 가운데에 빨간 자동차가 있다. 오른쪽에 빨간 자동차가 있다. "
            "파란 표지판에 STOP 글자가 있다.");
}

TEST(Captions, OfNothing) {
  const world::Scene scene = empty_scene();
  EXPECT_EQ(world::caption_text(scene, "en"), "nothing in the snow");
  EXPECT_EQ(world::caption_text(scene, "ko"), "눈밭에 아무것도 없다");
  EXPECT_EQ(world::alt_text(scene), "empty snow");
  EXPECT_EQ(world::description_text(scene, "en"), "a picture of snow.");
  EXPECT_EQ(world::description_text(scene, "ko"), "눈밭 사진이다.");
}

TEST(Captions, ThingsOfAThirdStandTogether) {
  world::Scene scene = empty_scene();
  scene.figures = {standing("dog", 2), standing("dog", 12), standing("cat", 22)};
  EXPECT_EQ(world::description_text(scene, "en"), "a picture of snow. on the left there are two dogs and a cat.");
  EXPECT_EQ(world::description_text(scene, "ko"), "눈밭 사진이다. 왼쪽에 개 두 마리와 고양이가 있다.");
}

}  // namespace
}  // namespace paligemma::test
