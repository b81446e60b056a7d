// paligemma merge: files, messages and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

const std::string kModel = GOLDEN_DIR "/models/pg2", kAdapter = GOLDEN_DIR "/lora/plain";

TEST(MergeCommand, MakesAFolderThatAnswersAsTheAdapter) {
  const Scratch scratch;
  const std::string to = scratch.path("new/merged");
  const Ended made =
      run_program({"merge", "-m", kModel, "--adapter", kAdapter, "-o", to, "--save-type", "f32", "--json"});
  EXPECT_EQ(made.code, 0) << made.err;
  const Json json = json_of(made);
  EXPECT_EQ(json["schema"], "paligemma.merge/1");
  EXPECT_LT(json["difference"], 1e-3);
  EXPECT_GT(json["effect"], 1);
  EXPECT_EQ(json["tokens"], json["equal_tokens"]);
  EXPECT_THAT(files_in(to), IsSupersetOf({"config.json", "model.safetensors", "tokenizer.json"}));
  const std::vector<std::string> question{"run", "cap en", kBeach, "--max-tokens", "12", "--compute", "f32"};
  auto attached = question, merged = question;
  attached.insert(attached.end(), {"-m", kModel, "--adapter", kAdapter});
  merged.insert(merged.end(), {"-m", to});
  const Ended with = run_program(attached), without = run_program(merged);
  EXPECT_EQ(with.code, 0) << with.err;
  EXPECT_EQ(with.out, without.out);
}

TEST(MergeCommand, SaysHowNearItIs) {
  const Scratch scratch;
  const Ended made = run_program({"merge", "-m", kModel, "--adapter", kAdapter, "-o", scratch.path("m"), "-q"});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.err, "");
  EXPECT_THAT(made.out, HasSubstr("largest difference of a logit: "));
  EXPECT_THAT(made.out, HasSubstr(" tokens of a caption are equal\n"));
}

// Merging needs no tokenizer, and asking does.
TEST(MergeCommand, IsDoneWhereTheModelCannotBeAsked) {
  const Scratch scratch;
  for (const std::string& name : files_in(kModel))
    if (name.find("token") == name.npos) scratch.write("model/" + name, Scratch::bytes_of(kModel + "/" + name));
  const Ended made = run_program(
      {"merge", "-m", scratch.path("model"), "--adapter", kAdapter, "-o", scratch.path("merged"), "--json"});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("warning: the merged model was not asked: no tokenizer"));
  EXPECT_TRUE(json_of(made)["difference"].is_null());
  EXPECT_THAT(files_in(scratch.path("merged")), IsSupersetOf({"config.json", "model.safetensors"}));
}

TEST(MergeCommand, SaysWhatIsWrong) {
  const Scratch scratch;
  const auto expect = [&](std::vector<std::string> words, int code, const std::string& part) {
    words.insert(words.begin(), "merge");
    const Ended ended = run_program(words);
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(part));
  };
  const std::string to = scratch.path("to");
  expect({"-m", kModel, "-o", to}, 2, "expected --adapter, got none. Try: --adapter runs/cows/best");
  expect({"-m", kModel, "--adapter", kAdapter}, 2, "expected -o, got none");
  expect({"-m", kModel, "--adapter", kAdapter, "-o", to, "--save-type", "q8"}, 2, "expected auto, f32 or bf16, got q8");
  expect({"-m", kModel, "--adapter", scratch.path("none"), "-o", to}, 4, "none");
  expect({"-m", POCKET_DIR, "--adapter", kAdapter, "-o", to}, 4, "plain");
  expect({"-m", kModel, "--adapter", GOLDEN_DIR "/lora/biases", "-o", to}, 4, "cannot merge the adapter");
  EXPECT_FALSE(std::filesystem::exists(to));
  expect({"-m", kModel, "--adapter", kAdapter, "-o", scratch.write("file", "")}, 2, "expected a folder, got a file");
}

}  // namespace
}  // namespace paligemma::test
