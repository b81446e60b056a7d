// Splits, what a run recognises its data by, and what is said about it.
#include <set>

#include "data/listing.h"
#include "folder.h"
#include "support/errors.h"

namespace paligemma::test {
namespace {

using testing::HasSubstr;

TEST(Split, IsAWordOfThePath) {
  EXPECT_EQ(split_of_path("annotations/instances_val2017.json"), Split::validation);
  EXPECT_EQ(split_of_path("_annotations.train.jsonl"), Split::train);
  EXPECT_EQ(split_of_path("train/test/a"), Split::test);
  EXPECT_EQ(split_of_path("Valid/x"), Split::validation);
  EXPECT_EQ(split_of_path("trains/testimony/evaluation.json"), Split::none);
  EXPECT_EQ(split_of_word("testA"), Split::test);
  EXPECT_EQ(split_of_word("restval"), Split::train);
}

Dataset made_data(int pictures, int rows_of_each) {
  Dataset data;
  for (int i = 0; i < pictures; ++i)
    for (int row = 0; row < rows_of_each; ++row)
      data.samples.push_back({.id = join(i, "/", row), .picture = {.name = join("picture", i, ".jpg")}});
  return data;
}

std::set<std::string> held_out(const Dataset& data) {
  std::set<std::string> names;
  for (const Sample& sample : data.samples)
    if (sample.split == Split::validation) names.insert(sample.picture.name);
  return names;
}

TEST(HoldOut, TakesWholePicturesByTheirNames) {
  Dataset data = made_data(1000, 3);
  hold_out(data, 0.1, 5);
  const std::set<std::string> names = held_out(data);
  EXPECT_NEAR(static_cast<double>(names.size()), 100, 40);  // four deviations of a binomial draw
  EXPECT_EQ(count_of(data, Split::validation), 3 * names.size());
  EXPECT_EQ(count_of(data, Split::train), 3000 - 3 * names.size());

  Dataset grown = made_data(1200, 3);
  hold_out(grown, 0.1, 5);
  for (const std::string& name : names) EXPECT_TRUE(held_out(grown).contains(name));
  Dataset other_seed = made_data(1000, 3);
  hold_out(other_seed, 0.1, 6);
  EXPECT_NE(held_out(other_seed), names);
}

TEST(HoldOut, LeavesSomethingOnBothSides) {
  for (const double share : {0.001, 0.999}) {
    Dataset data = made_data(2, 1);
    hold_out(data, share, 0);
    EXPECT_EQ(count_of(data, Split::validation), 1u);
    EXPECT_EQ(count_of(data, Split::train), 1u);
  }
  Dataset one = made_data(1, 2);
  hold_out(one, 0.5, 0);
  EXPECT_EQ(count_of(one, Split::train), 2u);
}

TEST(HoldOut, LeavesTheSplitsOfTheData) {
  Dataset data = made_data(10, 1);
  data.samples[0].split = Split::validation, data.samples[1].split = Split::test;
  hold_out(data, 0.5, 0);
  EXPECT_EQ(count_of(data, Split::validation), 1u);
  EXPECT_EQ(count_of(data, Split::test), 1u);
  EXPECT_EQ(count_of(data, Split::train), 8u);
  Dataset tests = made_data(10, 1);
  tests.samples[1].split = Split::test;
  hold_out(tests, 0.9, 0);
  EXPECT_EQ(tests.samples[1].split, Split::test);
  expect_error(ErrorKind::usage, "bad_value", "expected a share from 0 to below 1, got 1",
               [&] { hold_out(tests, 1, 0); });
}

constexpr const char* kRow =
    R"({"image":"a.png","prefix":"detect cow","suffix":"<loc0001><loc0002><loc0003><loc0004> cow"})";

TEST(Fingerprint, DoesNotDependOnTheFolder) {
  const DataFolder folder, copy;
  for (const DataFolder* one : {&folder, &copy}) one->picture("a.png"), one->write("a.jsonl", kRow);
  EXPECT_EQ(fingerprint(folder.open()), fingerprint(copy.open()));
}

TEST(Fingerprint, ChangesWithWhatIsLearnt) {
  const DataFolder folder;
  folder.picture("a.png");
  folder.write("a.jsonl", kRow);
  const Dataset data = folder.open();
  std::set<std::uint64_t> seen = {fingerprint(data)};
  const auto changed = [&](const std::function<void(Dataset&)>& change) {
    Dataset other = data;
    change(other);
    EXPECT_TRUE(seen.insert(fingerprint(other)).second);
  };
  changed([](Dataset& other) { other.samples[0].prefix = "detect cows"; });
  changed([](Dataset& other) { other.samples[0].answers = {"x"}; });
  changed([](Dataset& other) { other.samples[0].weight = 2; });
  changed([](Dataset& other) { other.samples[0].split = Split::test; });
  changed([](Dataset& other) { other.samples[0].objects[0].box[0] += 1e-9; });
  changed([](Dataset& other) { other.samples[0].objects[0].label = "dog"; });
  changed([](Dataset& other) { other.samples[0].objects[0].shape.polygons = {{1, 2, 3, 4, 5, 6}}; });
  changed([](Dataset& other) { other.samples[0].objects[0].crowd = true; });
  changed([](Dataset& other) { other.samples.push_back(other.samples[0]); });
  changed([](Dataset& other) { other.classes = {}; });
  folder.picture("a.png", 9, 9);
  EXPECT_TRUE(seen.insert(fingerprint(folder.open())).second);
}

TEST(Summary, SaysWhatWasFound) {
  Dataset data = made_data(811, 1);
  data.form = "COCO";
  for (int i = 0; i < 52; ++i) data.classes.push_back(join("class", i));
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    data.samples[i].picture.path = data.samples[i].picture.name;
    data.samples[i].task = SampleTask::detect;
    if (i >= 3) data.samples[i].objects.push_back({.label = "class1"});
    data.samples[i].split = i < 700 ? Split::train : Split::validation;
  }
  for (int i = 0; i < 4; ++i) data.problems.push_back({"picture_unreadable", join("b", i), "expected PNG"});
  data.problems.push_back({"box_clipped", "x", "y"});
  EXPECT_EQ(summary(data, "runs/cows/problems.txt"),
            "811 pictures, 52 classes, 3 without boxes, 4 unreadable: listed in runs/cows/problems.txt\n"
            "COCO: 700 samples train, 111 samples validation\n"
            "box_clipped: 1\n");
}

}  // namespace
}  // namespace paligemma::test
