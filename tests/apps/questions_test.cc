// Several questions about one picture, and the savings that change no answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Ended run(std::vector<std::string> words, const std::vector<std::string>& more, const Setting& setting = {}) {
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words, setting);
}

TEST(Questions, EachIsAnsweredByItself) {
  const std::vector<std::string> questions = {"where is the cow?", "is there a panda?"};
  const Ended asked = run({"ask", "--each", kBeach}, questions);
  EXPECT_EQ(asked.code, 0) << asked.err;
  EXPECT_EQ(asked.out, kBeach + "\tbeach\n" + kBeach + "\tno\n");
  const Ended piped = run({"ask", "--each", "-"}, questions, {.in = Scratch::bytes_of(kBeach)});
  EXPECT_EQ(piped.out, "-\tbeach\n-\tno\n");
  EXPECT_EQ(run_program({"ask", "--each", kBeach, "<loc0001>", "where?"}).code, 2);

  for (const char* command : {"detect", "segment"}) {
    const Json both = json_of(run_program({command, "--each", "cow, lion", kBeach, "--json"}));
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0], json_of(run_program({command, "cow", kBeach, "--json"})));
    EXPECT_EQ(both[1], json_of(run_program({command, "lion", kBeach, "--json"})));
  }
  const Ended format = run_program({"detect", "--each", "cow, lion", kBeach, "--format", "coco"});
  EXPECT_EQ(format.code, 2);
  EXPECT_THAT(format.err, HasSubstr("--each"));
}

// One by one, or together; with each saving and without it.
TEST(Questions, AreAnsweredTheSameHoweverTheyAre) {
  const Scratch scratch;
  std::string lines;
  for (const char* picture : {"beach", "city", "beach", "road", "city", "beach"})
    for (const char* prompt : {"detect cow ; lion ; sign", "caption en", "segment sign"})
      lines += "{\"image\":\"" + kPictures + picture + ".png\",\"prompt\":\"" + prompt + "\"}\n";
  const std::string file = scratch.write("q.jsonl", lines);
  const std::vector<std::vector<std::string>> commands = {
      {"run", "--requests", file, "--jsonl", "--logprobs"},
      {"segment", "cow, lion, sign", kPictures, "--jsonl", "--logprobs", "--weights", "q8"}};
  for (const std::vector<std::string>& command : commands) {
    const Ended usual = run_program(command);
    for (const std::vector<std::string>& setting : std::vector<std::vector<std::string>>{{"--batch", "1"},
                                                                                         {"--batch", "7"},
                                                                                         {"--draft-rows", "1"},
                                                                                         {"--draft-rows", "8"},
                                                                                         {"--share-pictures", "off"}}) {
      const Ended other = run(command, setting);
      EXPECT_EQ(other.code, usual.code);
      EXPECT_EQ(other.out, usual.out) << setting[0];
    }
  }
}

// With a batch of one a picture still goes through the vision tower once.
TEST(Questions, APictureIsLookedAtOnce) {
  const auto vision = [](const std::string& share) {
    const Ended ended = run_program({"ask", "--each", kBeach, "where is the cow?", "is there a panda?", "--batch", "1",
                                     "--json", "--timings", "--share-pictures", share});
    const Json results = json_of(ended);
    return results.at(1).at("timings_ms").at("vision").get<double>() /
           results.at(0).at("timings_ms").at("vision").get<double>();
  };
  EXPECT_LT(vision("on"), 0.1);
  EXPECT_GT(vision("off"), 0.1);
}

}  // namespace
}  // namespace paligemma::test
