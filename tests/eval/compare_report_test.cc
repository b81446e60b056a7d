#include "eval/compare_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

CompareReport report() {
  return {.a = {.name = "large", .weights = "bf16", .compute = "f32"},
          .b = {.name = "small", .weights = "q4", .compute = "bf16"},
          .answers = {{.task = Task::caption,
                       .path = "a.png",
                       .prompt = "caption en",
                       .a = "a cow",
                       .b = "a cow",
                       .scores = {.answers = 1, .equal_answers = 1, .tokens = 3, .equal_tokens = 3, .kl = 0.5}},
                      {.task = Task::detect,
                       .path = "a.png",
                       .prompt = "detect cow",
                       .a = "one",
                       .b = "two\n",
                       .scores = {.answers = 1,
                                  .tokens = 6,
                                  .equal_tokens = 3,
                                  .boxes = 2,
                                  .extra_boxes = 1,
                                  .kl = 1.0,
                                  .largest_kl = 0.75,
                                  .box_iou = 0.9}},
                      {.task = Task::caption,
                       .path = "b.png",
                       .prompt = "caption en",
                       .a = "three",
                       .b = "four",
                       .scores = {.answers = 1, .tokens = 1, .equal_tokens = 0, .kl = 0.5, .largest_kl = 0.5}}},
          .failures = {Error(ErrorKind::input, "image_decode", "cannot read c.png")}};
}

TEST(CompareReport, Json) {
  const Json json = compare_json(report(), kGateQ4);
  EXPECT_EQ(json["schema"], "paligemma.compare/1");
  EXPECT_EQ(json["b"], (Json{{"name", "small"}, {"weights", "q4"}, {"compute", "bf16"}}));
  EXPECT_EQ(json["total"], (Json{{"answers", 3},
                                 {"equal_answers", 1},
                                 {"tokens", 10},
                                 {"equal_tokens", 6},
                                 {"kl", 0.2},
                                 {"largest_kl", 0.75},
                                 {"boxes", 2},
                                 {"box_iou", 0.45},
                                 {"extra_boxes", 1},
                                 {"masks", 0},
                                 {"mask_iou", nullptr}}));
  ASSERT_EQ(json["tasks"].size(), 2u);
  EXPECT_EQ(json["tasks"][0]["task"], "caption");
  EXPECT_EQ(json["tasks"][0]["tokens"], 4);
  EXPECT_EQ(json["tasks"][1]["task"], "detect");
  ASSERT_EQ(json["answers"].size(), 3u);
  EXPECT_EQ(json["answers"][0]["image"], "b.png");  // the worst
  EXPECT_EQ(json["answers"][1]["b"], "two\n");
  EXPECT_EQ(json["answers"][2]["a"], "a cow");
  EXPECT_EQ(json["failures"], (Json{{{"code", "image_decode"}, {"message", "cannot read c.png"}}}));
  EXPECT_EQ(json["gate"]["name"], "q4");
  EXPECT_EQ(json["gate"]["passed"], false);
  EXPECT_EQ(json["gate"]["missed"].size(), 2u);
  EXPECT_TRUE(compare_json(report(), {})["gate"].is_null());
}

TEST(CompareReport, Table) {
  const std::string table = compare_table(report(), 1);
  EXPECT_THAT(table, HasSubstr("A: large, weights bf16, compute f32\nB: small, weights q4, compute bf16\n"));
  EXPECT_THAT(table, HasSubstr("all                3   33.33 %        10   60.00 %  2.00e-01         2    0.4500"));
  EXPECT_THAT(table, HasSubstr("b.png: caption en: 0 of 1 tokens, KL 5.00e-01\n  A: three\n  B: four\n"));
  EXPECT_THAT(table, Not(HasSubstr("detect cow")));  // one was asked for
  EXPECT_THAT(compare_table(report(), 9), HasSubstr("B: two\\n\n"));
  EXPECT_THAT(compare_table(report(), 9), Not(HasSubstr("a cow")));  // no difference
  EXPECT_THAT(compare_table({}, 9), HasSubstr("all                0         -"));
}

TEST(QualityGate, SaysWhatIsMissed) {
  CompareScores scores{.tokens = 100, .equal_tokens = 98, .boxes = 10, .box_iou = 9.8};
  EXPECT_THAT(missed_by(scores, kGateQ8), IsEmpty());
  scores.equal_tokens = 97;
  EXPECT_THAT(missed_by(scores, kGateQ8), ElementsAre("equal tokens: expected at least 0.98, got 0.97"));
  scores.box_iou = 9.4;
  EXPECT_EQ(missed_by(scores, kGateQ8).size(), 2u);
  EXPECT_THAT(missed_by(scores, kGateQ4), ElementsAre("box IoU: expected at least 0.95, got 0.94"));
  scores.boxes = 0;
  EXPECT_THAT(missed_by(scores, kGateQ4), IsEmpty());
  EXPECT_THAT(missed_by({}, kGateQ4), ElementsAre(HasSubstr("no answers")));
}

}  // namespace
}  // namespace paligemma
