// paligemma compare: what it prints, returns and refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "child.h"
#include "io/json.h"
#include "support/pocket.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void expect_compare_error(std::vector<std::string> words, int code, const std::string& part,
                          const Setting& setting = {}) {
  words.insert(words.begin(), "compare");
  const Ended ended = run_program(words, setting);
  EXPECT_EQ(ended.code, code) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, AllOf(StartsWith("paligemma: "), HasSubstr(part), EndsWith("\n")));
}

TEST(CompareProgram, AModelAgainstItself) {
  const Ended ended = run_program({"compare", "--json", "-q"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
  const Json json = json_of(ended), total = json["total"];
  EXPECT_EQ(json["schema"], "paligemma.compare/1");
  EXPECT_EQ(json["a"], json["b"]);
  EXPECT_EQ(json["a"]["name"], "pocket");
  EXPECT_EQ(total["answers"], 99);  // those of the demo
  EXPECT_EQ(total["equal_answers"], 99);
  EXPECT_EQ(total["equal_tokens"], total["tokens"]);
  EXPECT_EQ(total["kl"], 0);
  EXPECT_EQ(total["box_iou"], 1);
  EXPECT_EQ(total["mask_iou"], 1);
  EXPECT_TRUE(json["gate"].is_null());
}

// The precisions differ as much as they should and no further, and the same each time.
TEST(CompareProgram, WeightsOf4Bits) {
  const std::string road = kPictures + "road.png";
  const std::vector<std::string> words = {"compare", "--weights-b", "q4", "--images", road, "--labels", "dog ; car"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return run_program(more);
  };
  const Ended ended = with({"--json", "-t", "1"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(with({"--jsonl", "-t", "2"}).out, ended.out);
  const Json json = json_of(ended), total = json["total"];
  EXPECT_EQ(json["a"]["weights"], "bf16");
  EXPECT_EQ(json["b"]["weights"], "q4");
  EXPECT_EQ(total["answers"], 8);
  const double equal = total["equal_tokens"].get<double>() / total["tokens"].get<double>();
  EXPECT_GT(equal, 0.7);
  EXPECT_LT(equal, 1);
  EXPECT_GT(total["kl"], 0.001);
  EXPECT_LT(total["kl"], 0.1);
  EXPECT_EQ(total["boxes"], 4);
  EXPECT_EQ(total["masks"], 2);
  EXPECT_GT(total["box_iou"], 0.7);
  EXPECT_LT(total["box_iou"], 1);
  EXPECT_THAT(with({}).out, AllOf(HasSubstr("A: pocket, weights bf16, compute f32\nB: pocket, weights q4"),
                                  HasSubstr("\ndetect "), HasSubstr("\nall "), HasSubstr(road + ": detect")));
}

TEST(CompareProgram, Gate) {
  const Ended passed = run_program({"compare", "--gate", "q8", "--images", kBeach, "--json"});
  EXPECT_EQ(passed.code, 0) << passed.err;
  EXPECT_EQ(json_of(passed)["gate"]["passed"], true);
  // Random weights are sure of nothing.
  const std::string random = std::string(GOLDEN_DIR) + "/models/pg2";
  const Ended missed =
      run_program({"compare", random, random, "--gate", "q8", "--weights-b", "q4", "--images", kBeach, "--json"});
  EXPECT_EQ(missed.code, 1);
  EXPECT_EQ(json_of(missed)["gate"]["passed"], false);
  EXPECT_THAT(missed.err, HasSubstr("paligemma: not as near as q8 has to be: equal tokens: expected at least 0.98"));
}

TEST(CompareProgram, ModelsAreNamedAsEverywhere) {
  const std::string pg2 = std::string(GOLDEN_DIR) + "/models/pg2";
  const Setting setting{.environment = {"PALIGEMMA_MODEL=" + pg2}};
  const auto names = [&](std::vector<std::string> words) {
    for (const char* word : {"--prompt", "caption en", "--images", kBeach.c_str(), "--max-tokens", "2", "--json"})
      words.emplace_back(word);
    words.insert(words.begin(), "compare");
    const Ended ended = run_program(words, setting);
    EXPECT_EQ(ended.code, 0) << ended.err;
    const Json json = json_of(ended);
    return join(json["a"]["name"].get<std::string>(), " ", json["b"]["name"].get<std::string>());
  };
  EXPECT_EQ(names({}), "pg2 pg2");
  EXPECT_EQ(names({"pocket"}), "pocket pocket");
  EXPECT_EQ(names({"pocket", POCKET_DIR}), "pocket pocket");
  EXPECT_EQ(names({pg2, ""}), "pg2 pg2");
  EXPECT_EQ(run_program({"ocr", "-m", "pocket", kPictures + "city.png"}, setting).out, "TAXI\n");
}

TEST(CompareProgram, AsksWhatItIsTold) {
  const Scratch scratch;
  const std::string line = R"({"image":")" + kBeach + R"(","prompt":)";
  const std::string file = scratch.write("q.jsonl", line + "\"ocr\"}\n" + line + "\"detect cow\",\"max_tokens\":3}\n");
  const Json asked = json_of(run_program({"compare", "--requests", file, "--json"}));
  ASSERT_EQ(asked["answers"].size(), 2u);
  EXPECT_EQ(asked["tasks"].size(), 1u);
  const Json prompts = json_of(run_program({"compare", "--prompt", "ocr", "--prompt", "caption ko", "--json"}));
  EXPECT_EQ(prompts["total"]["answers"], 18);  // of nine pictures
  EXPECT_EQ(prompts["tasks"][0]["task"], "run");

  // Stdin is read once and asked of both.
  const Json piped = json_of(
      run_program({"compare", "--images", "-", "--prompt", "ocr", "--json"}, {.in = Scratch::bytes_of(kBeach)}));
  EXPECT_EQ(piped["total"]["answers"], 1);
  EXPECT_EQ(piped["failures"].size(), 0u);
}

TEST(CompareProgram, APictureThatFailsIsLeftOut) {
  const Scratch scratch;
  const std::string broken = scratch.write("broken.png", "no picture");
  const Ended ended = run_program({"compare", "--images", broken, "--images", kBeach, "--prompt", "ocr", "--json"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("broken.png"));
  EXPECT_EQ(json_of(ended)["total"]["answers"], 1);
  EXPECT_EQ(json_of(ended)["failures"][0]["code"], "image_decode");

  const Ended nothing = run_program({"compare", "--images", broken, "--gate", "q4"});
  EXPECT_EQ(nothing.code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("no answers"));
}

TEST(CompareProgram, RefusesWhatCannotBeCompared) {
  const Scratch scratch;
  const std::string pg2 = std::string(GOLDEN_DIR) + "/models/pg2";
  expect_compare_error({pg2}, 2, "expected --images or --requests");
  expect_compare_error({"", pg2}, 2, "different tokens");
  expect_compare_error({"a", "b", "c"}, 2, "expected [A [B]]");
  expect_compare_error({"--images", scratch.path("none.png")}, 2, "none.png");
  expect_compare_error({scratch.path("none"), "--images", kBeach}, 4, "none");
  expect_compare_error({"--weights", "q4"}, 2, "Try: --weights-a");
  expect_compare_error({"--weights-b", "q5"}, 2, "--weights-b: expected auto, f32, bf16, q8 or q4, got q5");
  expect_compare_error({"--gate", "q6"}, 2, "--gate: expected q8 or q4, got q6");
  expect_compare_error({"--max-tokens", "0"}, 2, "--max-tokens: expected");
  expect_compare_error({"--images", kBeach, "--labels", ";"}, 2, "label");
  const std::string start = R"({"image":")" + kBeach + R"(","prompt":"ocr",)";
  for (const char* setting : {"\"temperature\":1", "\"beams\":2", "\"suffix\":\"a\"", "\"max_tokens\":0"}) {
    const std::string file = scratch.write("q.jsonl", start + setting + "}\n");
    expect_compare_error({"--requests", file}, 2, "q.jsonl line 1: cannot compare");
  }
  const std::string file = scratch.write("q.jsonl", start + "\"seed\":1}\n");
  expect_compare_error({"--requests", file, "--images", kBeach}, 2, "expected no --images");
}

TEST(CompareProgram, SaysWhenTheDiskIsFull) {
  const Scratch scratch;
  expect_compare_error({}, 1, "cannot keep the logits", {.in_child = with_files_up_to(1 << 20)});
  expect_compare_error({}, 1, scratch.path("none"), {.environment = {"TMPDIR=" + scratch.path("none")}});
}

TEST(CompareProgram, EndsWhenInterrupted) {
  int interrupted = 0;
  for (const int moment : {50, 150, 250, 400}) {
    const Ended ended = run_program({"compare"}, {.meanwhile = [left = moment](pid_t child) mutable {
                                      if (left-- == 0) kill(child, SIGINT);
                                    }});
    if (ended.code == 0) continue;
    EXPECT_EQ(ended.code, 130) << ended.err;
    EXPECT_EQ(ended.out, "");
    ++interrupted;
  }
  EXPECT_GT(interrupted, 0);
}

}  // namespace
}  // namespace paligemma::test
