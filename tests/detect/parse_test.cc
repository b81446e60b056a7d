#include "detect/parse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "support/golden.h"

namespace paligemma {
namespace {

std::vector<Json> golden_lines() {
  std::ifstream file(testing::golden("geometry/parse.jsonl"));
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(parse_json(line, "parse.jsonl", ErrorKind::failure));
  return lines;
}

TEST(Parse, GoldenLines) {
  const auto lines = golden_lines();
  ASSERT_EQ(lines.size(), 174u);
  for (const Json& line : lines) {
    const std::string text = line["text"];
    SCOPED_TRACE(text);
    for (const int divisor : {1023, 1024}) {
      const Parsed parsed = parse_objects(text, {line["width"], line["height"], divisor}, {});
      ASSERT_EQ(parsed.objects.size(), line["objects"].size());
      ASSERT_EQ(parsed.warnings.size(), line["warnings"].size());
      for (std::size_t i = 0; i < parsed.objects.size(); ++i) {
        const Object& object = parsed.objects[i];
        const Json& expected = line["objects"][i];
        EXPECT_EQ(object.label, expected["label"].get<std::string>());
        EXPECT_EQ(Json(object.loc), expected["loc"]);
        EXPECT_EQ(object.seg ? Json(*object.seg) : Json(), expected["seg"]);
        const Json& box = line[divisor == 1023 ? "xyxy_1023" : "xyxy_1024"][i];
        // The file's numbers are rounded to f32.
        for (std::size_t k = 0; k < 4; ++k) EXPECT_NEAR(object.box[k], box[k].get<double>(), 1e-3 + 1e-6 * object.box[k]);
      }
      for (std::size_t i = 0; i < parsed.warnings.size(); ++i) {
        EXPECT_EQ(parsed.warnings[i].code, line["warnings"][i]["code"].get<std::string>());
        EXPECT_EQ(parsed.warnings[i].text, line["warnings"][i]["text"].get<std::string>());
      }
    }
  }
}

TEST(Parse, LabelIndexIsThePlaceInTheAskedLabels) {
  const std::vector<std::string> asked{"red car", "Cow"};
  const Parsed parsed = parse_objects("<loc0000><loc0000><loc0001><loc0001> cow ; <loc0000><loc0000><loc0001><loc0001> tree",
                                      {100, 100, 1023}, asked);
  ASSERT_EQ(parsed.objects.size(), 2u);
  EXPECT_EQ(parsed.objects[0].label_index, 1);
  EXPECT_EQ(parsed.objects[1].label_index, std::nullopt);
}

// By hand: probabilities 1/2, 1/4, 1/8 and 1/4 have the geometric mean (2^-8)^(1/4) = 1/4; the other object's are all 1/2.
TEST(Parse, ScoreIsTheGeometricMeanOfTheLocProbabilities) {
  const double half = std::log(0.5);
  const std::vector<Token> tokens{{1, "<loc0010>", half},     {2, "<loc0020>", 2 * half}, {3, "<loc0030>", 3 * half},
                                  {4, "<loc0040>", 2 * half}, {5, " cat", -7},            {6, " ;", -7},
                                  {7, " ", -7},               {1, "<loc0010>", half},     {2, "<loc0020>", half},
                                  {3, "<loc0030>", half},     {4, "<loc0040>", half},     {5, " dog", -7},
                                  {8, "", -7}};
  std::string text;
  for (const Token& token : tokens) text += token.text;
  Parsed parsed = parse_objects(text, {100, 100, 1023}, {});
  score_objects(parsed, tokens);
  ASSERT_EQ(parsed.objects.size(), 2u);
  EXPECT_NEAR(*parsed.objects[0].score, 0.25, 1e-12);
  EXPECT_NEAR(*parsed.objects[1].score, 0.5, 1e-12);
}

TEST(Parse, BoxIsClippedToThePicture) {
  const Parsed parsed = parse_objects("<loc0000><loc0000><loc1023><loc1023> all", {640, 480, 1000}, {});
  EXPECT_EQ(parsed.objects[0].box, (std::array<double, 4>{0, 0, 640, 480}));
}

}  // namespace
}  // namespace paligemma
