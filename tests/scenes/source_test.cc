#include "scenes/source.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "data/loader.h"
#include "support/errors.h"

namespace paligemma::test {
namespace {

using ::testing::Contains;
using world::kQuestions;
using world::open_scenes;

TEST(SceneSource, AsksEachSceneOfEveryKind) {
  const Dataset data = open_scenes("scenes:7:30:112");
  ASSERT_EQ(data.samples.size(), 30 * kQuestions);
  std::set<std::string> ids, prompts;
  for (std::size_t scene = 0; scene < 30; ++scene) {
    std::vector<SampleTask> tasks;
    for (std::size_t i = 0; i < kQuestions; ++i) {
      const Sample& sample = data.samples[scene * kQuestions + i];
      EXPECT_EQ(sample.picture.name, data.samples[scene * kQuestions].picture.name);
      tasks.push_back(sample.task);
      ids.insert(sample.id);
      prompts.insert(sample.prefix.substr(0, sample.prefix.find(' ')));
    }
    EXPECT_THAT(tasks, Contains(SampleTask::detect));
    EXPECT_THAT(tasks, Contains(SampleTask::text));
  }
  EXPECT_EQ(ids.size(), data.samples.size());
  EXPECT_THAT(prompts, testing::IsSupersetOf({"caption", "describe", "cap", "ocr", "answer", "detect", "segment"}));
}

TEST(SceneSource, DrawsOtherScenesInEachEpoch) {
  const Dataset data = open_scenes("scenes:7:3:112"), longer = open_scenes("scenes:7:6:112");
  for (std::size_t place = 0; place < data.samples.size(); ++place) {
    const DecodedSample first = sample_in_epoch(data, place, 0), second = sample_in_epoch(data, place, 1);
    EXPECT_EQ(first.prefix, data.samples[place].prefix);
    EXPECT_EQ(first.picture.rgb, sample_in_epoch(longer, place, 0).picture.rgb);
    // The scenes of the second epoch follow those of the first.
    const std::size_t follows = place + 3 * kQuestions;
    EXPECT_EQ(second.prefix, longer.samples[follows].prefix);
    EXPECT_EQ(second.picture.rgb, sample_in_epoch(longer, follows, 0).picture.rgb);
    EXPECT_NE(first.picture.rgb, second.picture.rgb);
  }
}

TEST(SceneSource, GivesALoaderTheSameOnAnyThreads) {
  const Dataset data = open_scenes("scenes:5:6:112");
  const auto examples = [&](int threads) {
    LoaderOptions options{.side = 112, .together = true, .seed = 2, .threads = threads};
    options.target.encode = [](const Mask&, const std::array<double, 4>&) { return std::array<int, 16>{}; };
    Loader loader(data, places_of(data, Split::none), options);
    std::vector<std::string> all;
    for (std::size_t i = 0; i < 12 * kQuestions; ++i) {
      const Example one = loader.next();
      all.push_back(std::string(one.picture.rgb.begin(), one.picture.rgb.end()) + one.target.prefix +
                    one.target.text());
    }
    return all;
  };
  const std::vector<std::string> expected = examples(1);
  EXPECT_TRUE(expected == examples(4));
  EXPECT_EQ(std::set(expected.begin(), expected.end()).size(), expected.size());
}

TEST(SceneSource, NamesWhatItCannotDraw) {
  for (const char* name : {"scenes:", "scenes:x", "scenes:1:", "scenes:1:0", "scenes:1:5:8", "scenes:1:5:112:5",
                           "scenes:1:5:112:", "scenes:1:5:112:2:1", "scenes:1 "})
    expect_error(ErrorKind::usage, "scenes", "expected scenes:SEED", [&] { open_scenes(name); });
}

TEST(SceneSource, ThingsHaveTheScaleThatIsAsked) {
  const auto area = [](const char* name) {
    const Dataset data = open_scenes(name);
    double sum = 0;
    for (std::size_t i = 0; i < data.samples.size(); i += kQuestions) {
      const DecodedSample sample = data.drawn(i, 0);
      for (const DecodedObject& thing : *sample.things)
        sum += (thing.box[2] - thing.box[0]) * (thing.box[3] - thing.box[1]);
    }
    return sum;
  };
  EXPECT_LT(area("scenes:7:20:224:0.5"), 0.35 * area("scenes:7:20:224"));
}

}  // namespace
}  // namespace paligemma::test
