#include "data/target.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "detect/parse.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma::test {
namespace {

using testing::ElementsAre;

const std::vector<std::string> kClasses = {"cow", "toy dog"};

DecodedSample seen(SampleTask task) {
  DecodedSample sample{.picture = {.width = 200, .height = 100}, .task = task};
  sample.objects.push_back({.label = "toy dog", .box = {20, 50, 100, 75}});
  sample.objects.push_back({.label = "cow", .box = {0, 0, 200, 100}});
  return sample;
}

Target target_of(const DecodedSample& sample, const TargetOptions& options = {}, std::uint64_t epoch = 0) {
  Dice dice(7);
  return make_target(sample, kClasses, options, dice, 3, epoch);
}

// 1023 * 20 / 200 = 102.3, 1023 * 50 / 100 = 511.5, the even one of 511 and 512; 1023 * 75 / 100 = 767.25.
constexpr const char* kDog = "<loc0512><loc0102><loc0767><loc0512> toy dog";
constexpr const char* kCow = "<loc0000><loc0000><loc1023><loc1023> cow";

TEST(Target, OfDetectListsBoxesAndLabels) {
  const Target target = target_of(seen(SampleTask::detect), {.shuffle = false});
  EXPECT_EQ(target.prefix, "detect cow ; toy dog");
  EXPECT_EQ(target.text(), join(kDog, " ; ", kCow));
  ASSERT_EQ(target.suffix.size(), 1u);
  EXPECT_EQ(target.suffix[0].weight, 1);
  EXPECT_EQ(target_of(seen(SampleTask::detect), {.asked = TargetOptions::Asked::every}).prefix, "detect all classes");
  DecodedSample given = seen(SampleTask::detect);
  given.prefix = "detect something\n";
  EXPECT_EQ(target_of(given).prefix, "detect something");
}

TEST(Target, OfNothingIsEmpty) {
  DecodedSample sample = seen(SampleTask::detect);
  sample.objects.clear();
  EXPECT_TRUE(target_of(sample).suffix.empty());
}

// The order and the rounding are big_vision's: its own suffixes for boxes in shares of a picture. It multiplies in f32:
// of three boxes one side comes to lie halfway between two numbers by that.
TEST(Target, HasTheLocTokensOfBigVision) {
  const Json cases = golden_json("codec/vae_encode.json");
  const Safetensors tensors = golden_tensors("codec/vae_encode.safetensors");
  int compared = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string number = std::to_string(i);
    const std::vector<float> box = values(tensors.tensors.at("bbox/" + number));
    const auto is_halfway = [](float share) {
      const double place = double{share} * 1023;
      return std::abs(place - std::floor(place) - 0.5) < 1023 * 0x1p-24;
    };
    if (std::ranges::any_of(box, is_halfway)) continue;
    ++compared;
    const RawTensor& mask = tensors.others.at("mask/" + number);
    const int height = static_cast<int>(mask.shape[0]), width = static_cast<int>(mask.shape[1]);
    const std::string suffix = cases[i]["suffix"];
    const auto seg = parse_objects(suffix, {.width = width, .height = height}, {}).objects.at(0).seg;
    DecodedSample sample{.picture = {.width = width, .height = height}, .task = SampleTask::refer, .prefix = "the cow"};
    sample.objects.push_back(
        {.label = "cow",
         .box = {double{box[1]} * width, double{box[0]} * height, double{box[3]} * width, double{box[2]} * height},
         .mask = Mask{.width = 1, .height = 1, .inside = {1}}});
    const TargetOptions options{.encode = [&](const Mask&, const std::array<double, 4>&) { return *seg; }};
    EXPECT_EQ(target_of(sample, options).prefix, "the cow");
    EXPECT_EQ(target_of(sample, options).text(), suffix);
  }
  EXPECT_EQ(compared, 37);
}

TEST(Target, OfMasksHasTheirCodes) {
  DecodedSample sample = seen(SampleTask::segment);
  sample.objects.pop_back();
  sample.objects[0].mask = Mask{.x = 20, .y = 50, .width = 1, .height = 1, .inside = {1}};
  TargetOptions options;
  expect_error(ErrorKind::usage, "mask", "Try: --codec", [&] { target_of(sample, options); });
  options.encode = [](const Mask& mask, const std::array<double, 4>& box) {
    std::array<int, 16> codes{};
    codes[0] = mask.x, codes[1] = static_cast<int>(box[2]), codes[15] = 127;
    return codes;
  };
  std::string expected = "<loc0512><loc0102><loc0767><loc0512><seg020><seg100>";
  for (int i = 2; i < 15; ++i) expected += "<seg000>";
  EXPECT_EQ(target_of(sample, options).text(), expected + "<seg127> toy dog");
  EXPECT_EQ(target_of(sample, options).prefix, "segment cow ; toy dog");
  sample.objects[0].mask.reset();
  sample.objects[0].seg = std::array<int, 16>{1, 2};
  EXPECT_TRUE(target_of(sample).text().starts_with("<loc0512><loc0102><loc0767><loc0512><seg001><seg002><seg000>"));
}

TEST(Target, OfAnExpressionIsItsObject) {
  DecodedSample sample = seen(SampleTask::refer);
  sample.objects.resize(1);
  sample.prefix = "the left dog";
  EXPECT_EQ(target_of(sample).prefix, "the left dog");
  EXPECT_EQ(target_of(sample).text(), "<loc0512><loc0102><loc0767><loc0512>");
  const TargetOptions named{.referring = TargetOptions::Referring::segment};
  EXPECT_EQ(target_of(sample, named).prefix, "segment the left dog");
  EXPECT_EQ(target_of(sample, named).text(), "<loc0512><loc0102><loc0767><loc0512> the left dog");
}

TEST(Target, OfABoxThinnerThanTheGridHasAnArea) {
  DecodedSample sample = seen(SampleTask::detect);
  sample.picture.width = 20000;
  sample.objects = {{.label = "cow", .box = {10, 10, 11, 90}}, {.label = "cow", .box = {19999, 10, 20000, 90}}};
  EXPECT_EQ(target_of(sample, {.shuffle = false}).text(),
            "<loc0102><loc0001><loc0921><loc0002> cow ; <loc0102><loc1022><loc0921><loc1023> cow");
}

TEST(Target, ShufflesObjects) {
  std::set<std::string> texts;
  Dice dice(1);
  for (int i = 0; i < 32; ++i) texts.insert(make_target(seen(SampleTask::detect), kClasses, {}, dice, 3, 0).text());
  EXPECT_THAT(texts, testing::UnorderedElementsAre(join(kDog, " ; ", kCow), join(kCow, " ; ", kDog)));
}

TEST(Target, IsFilledWithNoiseWhosePlaceIsNotLearnt) {
  const Target target = target_of(seen(SampleTask::detect), {.shuffle = false, .fill_to = 4});
  ASSERT_EQ(target.suffix.size(), 5u);
  EXPECT_EQ(target.suffix[0].text, join(kDog, " ; ", kCow, " ; "));
  EXPECT_EQ(target.suffix[2].text, "<unused0> ; ");
  EXPECT_EQ(target.suffix[4].text, "<unused0>");
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(target.suffix[i].weight, i % 2 == 0 ? 1 : 0);
  const Parsed parsed = parse_objects(target.text(), {.width = 1023, .height = 1023}, {});
  EXPECT_TRUE(parsed.warnings.empty());
  ASSERT_EQ(parsed.objects.size(), 4u);
  EXPECT_EQ(parsed.objects[3].label, "<unused0>");
  EXPECT_NE(parsed.objects[2].loc, parsed.objects[3].loc);

  DecodedSample nothing = seen(SampleTask::detect);
  nothing.objects.clear();
  EXPECT_EQ(target_of(nothing, {.fill_to = 2}).suffix.size(), 4u);
  EXPECT_EQ(target_of(seen(SampleTask::detect), {.fill_to = 1}).suffix.size(), 1u);
  EXPECT_EQ(target_of(seen(SampleTask::segment), {.fill_to = 4}).suffix.size(), 1u);
  DecodedSample asked_otherwise = seen(SampleTask::detect);
  asked_otherwise.prefix = "find the cow";
  EXPECT_EQ(target_of(asked_otherwise, {.fill_to = 4}).suffix.size(), 1u);
}

TEST(Target, OfNoiseIsAlwaysABox) {
  Dice dice(5);
  DecodedSample nothing{.picture = {.width = 10, .height = 10}, .task = SampleTask::detect};
  const Target target = make_target(nothing, kClasses, {.fill_to = 2000}, dice, 3, 0);
  const Parsed parsed = parse_objects(target.text(), {.width = 1023, .height = 1023}, {});
  EXPECT_TRUE(parsed.warnings.empty());
  EXPECT_EQ(parsed.objects.size(), 2000u);
}

TEST(Target, OfAnswersGoesThroughAllOfThem) {
  DecodedSample sample{.picture = {.width = 8, .height = 4}, .task = SampleTask::answer, .prefix = "how many?\n"};
  sample.answers = {"one", "two", " ", "three"};
  EXPECT_EQ(target_of(sample, {.language = "de"}).prefix, "answer de how many?");
  std::vector<std::string> texts;
  for (std::uint64_t epoch = 0; epoch < 6; ++epoch) texts.push_back(target_of(sample, {}, epoch).text());
  EXPECT_THAT(std::vector(texts.begin(), texts.begin() + 3), testing::UnorderedElementsAre("one", "two", "three"));
  EXPECT_TRUE(std::equal(texts.begin(), texts.begin() + 3, texts.begin() + 3));
}

TEST(Target, OfCaptionsAndTextStandsAsItIs) {
  DecodedSample sample{.picture = {.width = 8, .height = 4}, .task = SampleTask::caption, .answers = {"a cow"}};
  EXPECT_EQ(target_of(sample).prefix, "caption en");
  EXPECT_EQ(target_of(sample).text(), "a cow");
  sample.task = SampleTask::text, sample.prefix = "read in latex";
  EXPECT_EQ(target_of(sample).prefix, "read in latex");
  EXPECT_EQ(target_of(sample).text(), "a cow");
}

TEST(SplitByClass, MakesASampleForEachClass) {
  std::vector<Sample> samples(3);
  samples[0].id = "a", samples[0].task = SampleTask::detect;
  samples[0].objects = {{.label = "cow"}, {.label = "dog"}, {.label = "cow"}, {.label = "cat", .crowd = true}};
  samples[1].id = "b", samples[1].task = SampleTask::detect;
  samples[2].id = "c", samples[2].task = SampleTask::caption;
  const std::vector<Sample> split = split_by_class(samples);
  ASSERT_EQ(split.size(), 4u);
  EXPECT_EQ(split[0].id, "a/cow");
  EXPECT_EQ(split[0].prefix, "detect cow");
  EXPECT_EQ(split[0].objects.size(), 2u);
  EXPECT_EQ(split[1].prefix, "detect dog");
  EXPECT_EQ(split[2].id, "b");
  EXPECT_EQ(split[3].id, "c");
}

}  // namespace
}  // namespace paligemma::test
