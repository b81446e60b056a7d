// Questions as samples that trainer and metrics take.
#include "scenes/samples.h"

#include <gmock/gmock.h>

#include "data/decoded.h"
#include "test_scenes.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;

TEST(Samples, BoxesAreLocTokensOf1023) {
  world::Scene scene = beach_scene();
  const world::Question question{
      .topic = world::Topic::detect, .task = SampleTask::detect, .prompt = "detect car ; cow", .figures = {1, 2, 0}};
  // 60, 80, 50, 62, 92, 10 and 22 of 112 pixels, times 1023 / 112.
  EXPECT_EQ(world::suffix_of(scene, question),
            "<loc0548><loc0457><loc0731><loc0566> car ; <loc0548><loc0731><loc0731><loc0840> car ; "
            "<loc0548><loc0091><loc0731><loc0201> cow");
  EXPECT_EQ(
      world::suffix_of(scene, {.topic = world::Topic::detect, .task = SampleTask::detect, .prompt = "detect dog"}), "");
  EXPECT_EQ(world::suffix_of(scene, {.prompt = "caption en", .answer = "a cow"}), "a cow");
}

TEST(Samples, MasksComeBackAsTheyWere) {
  for (std::uint64_t number = 0; number < 40; ++number) {
    const world::Scene scene = world::make_scene(artwork(), 8, number, {.side = 160});
    world::Question question{.topic = world::Topic::segment, .task = SampleTask::segment, .prompt = "segment things"};
    for (std::size_t i = 0; i < scene.figures.size(); ++i) question.figures.push_back(i);
    const Sample sample = world::sample_of(scene, question);
    EXPECT_EQ(sample.prefix, "segment things");
    EXPECT_EQ(sample.width, 160);
    Picture picture{.width = 160, .height = 160, .rgb = std::vector<std::uint8_t>(3 * 160 * 160)};
    const DecodedSample placed = place_sample(sample, std::move(picture));
    ASSERT_EQ(placed.objects.size(), scene.figures.size());
    for (std::size_t i = 0; i < scene.figures.size(); ++i) {
      const Mask& was = scene.figures[i].mask;
      ASSERT_TRUE(placed.objects[i].mask);
      EXPECT_EQ(placed.objects[i].mask->x, was.x);
      EXPECT_EQ(placed.objects[i].mask->y, was.y);
      EXPECT_EQ(placed.objects[i].mask->width, was.width);
      EXPECT_EQ(placed.objects[i].mask->inside, was.inside);
    }
  }
}

TEST(Samples, AreNamedByTheirScene) {
  const Sample sample = world::sample_of(beach_scene(), {.prompt = "ocr", .answer = "STOP"});
  EXPECT_EQ(sample.picture.name, "scenes 7/12");
  EXPECT_EQ(sample.id, "scenes 7/12 ocr");
  EXPECT_THAT(sample.answers, ElementsAre("STOP"));
  EXPECT_EQ(sample.task, SampleTask::text);
}

TEST(Samples, SayWhatKindOfQuestionTheyAre) {
  world::Scene scene = beach_scene();
  const auto group = [&](const world::Question& question) { return world::sample_of(scene, question).group; };
  EXPECT_EQ(group({.topic = world::Topic::count, .language = "ko"}), "answer.ko.count");
  EXPECT_EQ(group({.topic = world::Topic::caption}), "caption.en");
  EXPECT_EQ(group({.topic = world::Topic::detect, .figures = {0}}), "detect.there");
  EXPECT_EQ(group({.topic = world::Topic::detect}), "detect.absent");
  for (const auto& [text, kind] :
       {std::pair{"STOP", "ocr.words"}, {"X7", "ocr.letters"}, {"학교", "ocr.hangul"}, {"", "ocr.nothing"}}) {
    scene.board.text = text;
    EXPECT_EQ(group({.topic = world::Topic::ocr}), kind);
  }
}

}  // namespace
}  // namespace paligemma::test
