#include "report/result_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace paligemma {
namespace {

// Two cows, one without a mask, and everything else that the schema can hold.
Result segmented() {
  Result result{.task = Task::segment, .model = "pocket", .prompt = "segment cow", .path = "beach.jpg"};
  result.width = 4;
  result.height = 3;
  result.text = "<loc0256> cow";
  result.objects.push_back({.label = "cow",
                            .label_index = 0,
                            .box = {1, 0.5, 3.25, 2},
                            .loc = {170, 256, 682, 831},
                            .score = 0.91,
                            .seg = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 127}},
                            .mask = Mask{.x = 1, .y = 1, .width = 2, .height = 1, .inside = {1, 1}}});
  result.objects.push_back({.label = "red \"cow\"", .box = {0, 0, 4, 3}, .loc = {0, 0, 1023, 1023}});
  result.warnings.push_back({"loc_count", "<loc0001><loc0002> dog"});
  result.finish = Finish::length;
  result.prompt_tokens = 261;
  result.generated_tokens = 21;
  result.tokens.push_back({.id = 256256, .text = "<loc0256>", .logprob = -0.12});
  result.timings = {.image = 9, .vision = 480.1234567, .prefill = 2300, .decode = 640, .post = 3, .total = 3432.5};
  return result;
}

// The mask's runs down the columns of 4 x 3 pixels: 4 out, 1 in, 2 out, 1 in, 4 out. pycocotools writes from the fourth
// on the difference to the one two before, each plus '0': 4 1 2 1-1 4-2.
constexpr std::string_view kSegmented =
    R"({"schema":"paligemma.result/1","task":"segment","model":"pocket","prompt":"segment cow",)"
    R"("image":{"path":"beach.jpg","width":4,"height":3},"text":"<loc0256> cow","answer":null,"objects":[)"
    R"({"label":"cow","label_index":0,"box":[1.0,0.5,3.25,2.0],"loc":[170,256,682,831],"score":0.91,)"
    R"("score_kind":"loc_geomean","mask":{"format":"coco_rle","size":[3,4],"counts":"41202"},)"
    R"("seg":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,127]},)"
    R"({"label":"red \"cow\"","label_index":null,"box":[0.0,0.0,4.0,3.0],"loc":[0,0,1023,1023],"score":null,)"
    R"("score_kind":null,"mask":null,"seg":null}],)"
    R"("warnings":[{"code":"loc_count","text":"<loc0001><loc0002> dog"}],"finish":"length",)"
    R"("usage":{"prompt_tokens":261,"generated_tokens":21})";
constexpr std::string_view kTokens = R"(,"tokens":[{"id":256256,"text":"<loc0256>","logprob":-0.12}])";
constexpr std::string_view kTimings =
    R"(,"timings_ms":{"load":0.0,"image":9.0,"vision":480.123,"prefill":2300.0,"decode":640.0,"post":3.0,"total":3432.5})";

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

TEST(ResultJson, WritesTheSchemaInOrder) { EXPECT_EQ(dump_json(result_json(segmented())), joined({kSegmented, "}"})); }

TEST(ResultJson, AddsTokensAndTimingsWhenAsked) {
  EXPECT_EQ(dump_json(result_json(segmented(), {.tokens = true})), joined({kSegmented, kTokens, "}"}));
  EXPECT_EQ(dump_json(result_json(segmented(), {.timings = true})), joined({kSegmented, kTimings, "}"}));
  EXPECT_EQ(to_json(segmented()), joined({kSegmented, kTokens, kTimings, "}"}));
}

TEST(ResultJson, AnswerIsTextOrNull) {
  const Result result{.task = Task::ask, .answer = ""};
  const Json json = result_json(result);
  EXPECT_EQ(json["answer"], "");
  EXPECT_EQ(json["task"], "ask");
  EXPECT_EQ(json["finish"], "eos");
  EXPECT_TRUE(json["objects"].is_array() && json["objects"].empty());
  EXPECT_TRUE(json["warnings"].is_array() && json["warnings"].empty());
  EXPECT_TRUE(result_json(Result{})["answer"].is_null());
}

TEST(ResultJson, AskedTokensAreThereEvenWhenThereAreNone) {
  EXPECT_TRUE(result_json(Result{}, {.tokens = true})["tokens"].is_array());
  EXPECT_FALSE(result_json(Result{}).contains("tokens"));
}

TEST(ResultJson, NumbersAreFiniteAndReadBackTheSame) {
  const double infinity = std::numeric_limits<double>::infinity();
  Result result;
  result.objects.push_back({.box = {1.0 / 3, infinity, 0.1 + 0.2, 960.9}, .score = std::nan("")});
  result.tokens.push_back({.logprob = -infinity});
  const std::string text = dump_json(result_json(result, {.tokens = true}));
  EXPECT_NE(text.find(R"("box":[0.3333333333333333,null,0.30000000000000004,960.9])"), text.npos) << text;
  EXPECT_NE(text.find(R"("score":null,"score_kind":null)"), text.npos) << text;
  EXPECT_NE(text.find(R"("logprob":null)"), text.npos) << text;
}

TEST(ResultJson, SaysWhatTheScoreIs) {
  Result result;
  result.objects.push_back({.score = 0.5, .score_kind = ScoreKind::label_prob});
  const std::string text = dump_json(result_json(result));
  EXPECT_NE(text.find(R"("score":0.5,"score_kind":"label_prob")"), text.npos) << text;
  result.objects[0].score_kind = ScoreKind::loc_calibrated;
  EXPECT_EQ(result_json(result)["objects"][0]["score_kind"], "loc_calibrated");
}

TEST(ResultJson, ReplacesWhatIsNotUtf8) {
  const Result result{.path = "caf\xe9.png", .answer = "\xff"};
  const std::string text = to_json(result);
  EXPECT_NE(text.find("\"path\":\"caf\uFFFD.png\""), text.npos) << text;
  EXPECT_NE(text.find("\"answer\":\"\uFFFD\""), text.npos) << text;
}

TEST(ResultJson, ErrorsOfAPictureAndOfTheProgram) {
  const Error error(ErrorKind::input, "image_decode", "decoding failed: a.png: expected PNG, got \"text\"");
  EXPECT_EQ(dump_json(failed_picture_json("a.png", error)),
            R"({"schema":"paligemma.result/1","image":{"path":"a.png"},"error":{"code":"image_decode",)"
            R"("message":"decoding failed: a.png: expected PNG, got \"text\""}})");
  EXPECT_EQ(dump_json(error_json(Error(ErrorKind::usage, "no_model", "no"))),
            R"({"error":{"code":"no_model","message":"no"}})");
}

}  // namespace
}  // namespace paligemma
