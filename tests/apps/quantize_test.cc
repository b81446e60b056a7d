// paligemma quantize: files, messages and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "child.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::HasSubstr;

TEST(QuantizeCommand, MakesOneFileThatAnswers) {
  const Scratch scratch;
  for (const std::string type : {"q8", "q4", "mixed"}) {
    const std::string file = scratch.path("new/deep/" + type + ".gguf");
    const Ended made = run_program({"quantize", POCKET_DIR, file, "--type", type, "-q"});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_EQ(made.out + made.err, "");
    const Ended found = run_program({"segment", "cow", kBeach, "-m", file});
    EXPECT_EQ(found.code, 0) << found.err;
    EXPECT_THAT(found.out, HasSubstr("cow\t"));
    const Ended listed = run_program({"inspect", file});
    EXPECT_EQ(listed.code, 0) << listed.err;
    EXPECT_THAT(listed.out, HasSubstr("GGUF file"));
    EXPECT_THAT(listed.out, HasSubstr("bf16\trows of 588 are not whole blocks of 32"));
  }
}

// A model of random weights is sure of nothing, so that 4 bits change what it says.
TEST(QuantizeCommand, GateLeavesNothingBehind) {
  const Scratch scratch;
  const std::string refused = scratch.path("q4.gguf");
  const std::string random = std::string(GOLDEN_DIR) + "/models/pg2";
  const Ended ended = run_program({"quantize", random, refused, "--type", "q4", "--gate", kBeach, "--labels", "cow"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("not as near to the model as q4 has to be: equal tokens: expected at least 0.92"));
  EXPECT_FALSE(std::filesystem::exists(refused));
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(refused).parent_path()));
}

TEST(QuantizeCommand, SaysWhatIsWrong) {
  const Scratch scratch;
  const auto expect = [&](const std::vector<std::string>& words, int code, const std::string& part) {
    const Ended ended = run_program(words);
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(part));
  };
  const std::string file = scratch.path("m.gguf");
  expect({"quantize", POCKET_DIR, file}, 2, "expected --type, got none");
  expect({"quantize", POCKET_DIR, file, "--type", "q5"}, 2, "expected q8, q4 or mixed, got q5");
  expect({"quantize", POCKET_DIR, scratch.path("m"), "--type", "q8"}, 2, "ends in .gguf");
  expect({"quantize", scratch.path("none"), file, "--type", "q8"}, 4, "none");
  expect({"quantize", POCKET_DIR, file, "--type", "q8", "--codec", kBeach}, 4, "mask codec");
  expect({"caption", kBeach, "-m", scratch.write("bad.gguf", "GGUF")}, 4, "bad.gguf");
}

}  // namespace
}  // namespace paligemma::test
