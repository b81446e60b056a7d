// paligemma scenes: files that the readers of data take, messages, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "child.h"
#include "data/dataset.h"
#include "data/decoded.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> scenes(const std::string& to, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"scenes", "--count", "12", "--seed", "7", "--size", "112", "-o", to};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(ScenesCommand, RowsAreRead) {
  const Scratch scratch;
  const std::string to = scratch.path("new/scenes");
  const Ended made = run_program(scenes(to, {"--json"}));
  EXPECT_EQ(made.code, 0) << made.err;
  const Json json = json_of(made);
  EXPECT_EQ(json["schema"], "paligemma.scenes/1");
  EXPECT_EQ(json["pictures"], 12);
  EXPECT_THAT(files_in(to), ElementsAre("pictures", "rows.jsonl"));
  EXPECT_EQ(files_in(to + "/pictures").size(), 12u);
  const Dataset data = open_dataset(to);
  EXPECT_THAT(data.problems, IsEmpty());
  EXPECT_EQ(data.samples.size(), json["rows"]);
  EXPECT_GT(data.samples.size(), 12u * 15);
  std::set<std::string> beginnings;
  std::size_t boxes = 0;
  for (const Sample& sample : data.samples) {
    beginnings.insert(sample.prefix.substr(0, sample.prefix.find(' ')));
    boxes += sample.objects.size();
    EXPECT_EQ(decode_sample(sample).picture.width, 112);
  }
  EXPECT_THAT(beginnings, ElementsAre("answer", "cap", "caption", "describe", "detect", "ocr"));
  EXPECT_GT(boxes, 12u);
}

// Of a picture that is not of its world the embedded model says so once; of one that is, it does not.
TEST(ScenesCommand, PicturesAreKnownToBeOfTheWorld) {
  const Scratch scratch;
  const std::string to = scratch.path("scenes"), first = to + "/pictures/000000.png",
                    photograph = POCKET_DIR "/photograph.png";
  ASSERT_EQ(run_program(scenes(to)).code, 0);
  const Ended known = run_program({"caption", first, to + "/pictures/000001.png"});
  EXPECT_EQ(known.code, 0);
  EXPECT_EQ(known.err, "");
  const Ended other = run_program({"caption", first, photograph, GOLDEN_DIR "/pictures/cat.png"});
  EXPECT_EQ(other.code, 0);
  const std::string says = ": the embedded model has learned nothing but the drawn world";
  const std::size_t at = other.err.find(photograph + says);
  ASSERT_NE(at, other.err.npos) << other.err;
  EXPECT_EQ(other.err.find(says, at + photograph.size() + 1), other.err.npos);  // once, not for each picture
}

TEST(ScenesCommand, InstancesAreReadWithTheirMasks) {
  const Scratch scratch;
  const std::string to = scratch.path("scenes");
  const Ended made = run_program(scenes(to, {"--format", "coco", "--size", "224", "-q"}));
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.err, "");
  EXPECT_THAT(made.out, HasSubstr("instances.json: 12 pictures, "));
  const Dataset data = open_dataset(to, {.task = SampleTask::segment});
  EXPECT_THAT(data.problems, IsEmpty());
  EXPECT_EQ(data.samples.size(), 12u);
  std::size_t objects = 0;
  for (const Sample& sample : data.samples) {
    for (const DecodedObject& object : decode_sample(sample).objects) {
      ++objects;
      ASSERT_TRUE(object.mask);
      EXPECT_THAT(object.box, ElementsAre(object.mask->x, object.mask->y, object.mask->x + object.mask->width,
                                          object.mask->y + object.mask->height));
    }
  }
  EXPECT_GT(objects, 12u);
}

TEST(ScenesCommand, ASceneFollowsFromItsNumber) {
  const Scratch scratch;
  const std::vector<std::string> few{"--questions", "3", "-q"};
  std::vector<std::string> last = few, threads = few;
  last.insert(last.end(), {"--first", "11", "--count", "1"});
  threads.insert(threads.end(), {"-t", "3"});
  EXPECT_EQ(run_program(scenes(scratch.path("all"), few)).code, 0);
  EXPECT_EQ(run_program(scenes(scratch.path("last"), last)).code, 0);
  EXPECT_EQ(run_program(scenes(scratch.path("threads"), threads)).code, 0);
  const std::string rows = scratch.read("all/rows.jsonl");
  EXPECT_EQ(lines_of(rows).size(), 3u * 12);
  EXPECT_EQ(scratch.read("threads/rows.jsonl"), rows);
  EXPECT_TRUE(rows.ends_with(scratch.read("last/rows.jsonl")));
  EXPECT_EQ(scratch.read("last/pictures/000011.png"), scratch.read("all/pictures/000011.png"));
  EXPECT_NE(scratch.read("all/pictures/000011.png"), "");
}

TEST(ScenesCommand, SaysWhatIsWrong) {
  const Scratch scratch;
  const auto expect = [&](std::vector<std::string> words, int code, const std::string& part) {
    words.insert(words.begin(), "scenes");
    const Ended ended = run_program(words);
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(part));
  };
  const std::string to = scratch.path("scenes");
  expect({"--count", "2"}, 2, "scenes: expected -o, got none. Try: -o scenes/");
  expect({"-o", to, "--count", "0"}, 2, "--count");
  expect({"-o", to, "--size", "100"}, 2, "--size");
  expect({"-o", to, "--scale", "5"}, 2, "--scale");
  expect({"-o", to, "--format", "voc"}, 2, "--format: expected rows or coco");
  expect({"-o", to, "--format", "coco", "--questions", "3"}, 2, "--questions");
  expect({"-o", to, "picture.png"}, 2, "picture.png");
  EXPECT_FALSE(std::filesystem::exists(to));
  scratch.write("scenes/rows.jsonl", "another's");
  expect({"-o", to, "--count", "1"}, 2, "Try: --force");
  EXPECT_EQ(scratch.read("scenes/rows.jsonl"), "another's");
  expect({"-o", to, "--count", "1", "--force"}, 0, "");
  std::filesystem::remove(to + "/rows.jsonl");
  expect({"-o", to, "--count", "1"}, 2, "000000.png");  // a picture is not overwritten either
}

TEST(ScenesCommand, AnInterruptLeavesLabelsOfWhatIsThere) {
  const Scratch scratch;
  const std::string to = scratch.path("scenes");
  bool asked = false;
  const Ended ended =
      run_program({"scenes", "--count", "100000", "--size", "112", "-o", to, "--json"}, {.meanwhile = [&](pid_t child) {
                    if (asked || !std::filesystem::exists(to + "/pictures/000070.png")) return;
                    kill(child, SIGINT);
                    asked = true;
                  }});
  EXPECT_EQ(ended.code, 130);
  const Dataset data = open_dataset(to);
  EXPECT_THAT(data.problems, IsEmpty());
  std::set<std::string> pictures;
  for (const Sample& sample : data.samples) pictures.insert(sample.picture.name);
  EXPECT_EQ(json_of(ended)["pictures"], pictures.size());
  EXPECT_EQ(files_in(to + "/pictures").size(), pictures.size());
  EXPECT_THAT(files_in(to), ElementsAre("pictures", "rows.jsonl"));
}

TEST(ScenesCommand, HelpHasExamples) {
  const Ended ended = run_program({"scenes", "--help"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, HasSubstr("paligemma scenes --count 1000 --seed 7 -o scenes/"));
}

}  // namespace
}  // namespace paligemma::test
