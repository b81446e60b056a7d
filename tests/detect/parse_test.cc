#include "detect/parse.h"

#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "golden.h"

namespace paligemma {
namespace {

using testing::ElementsAre;
using testing::FieldsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Json> golden_lines() {
  std::istringstream file{std::string(golden_file("geometry/parse.jsonl").text())};
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(parse_json(line, "parse.jsonl", ErrorKind::failure));
  return lines;
}

Parsed parse(std::string_view text) { return parse_objects(text, {100, 100}, {}); }

TEST(Parse, GoldenObjectsAndWarnings) {
  const auto lines = golden_lines();
  ASSERT_THAT(lines, SizeIs(174));
  for (const Json& line : lines) {
    const auto text = line.at("text").get<std::string>();
    SCOPED_TRACE(text);
    const Parsed parsed = parse_objects(text, {line.at("width"), line.at("height")}, {});
    Json objects = Json::array(), warnings = Json::array();
    for (const Object& o : parsed.objects)
      objects.push_back({{"loc", o.loc}, {"seg", o.seg ? Json(*o.seg) : Json()}, {"label", o.label}});
    for (const Warning& w : parsed.warnings) warnings.push_back({{"code", w.code}, {"text", w.text}});
    EXPECT_EQ(objects, line.at("objects"));
    EXPECT_EQ(warnings, line.at("warnings"));
  }
}

TEST(Parse, GoldenBoxes) {
  for (const Json& line : golden_lines()) {
    SCOPED_TRACE(line.at("text"));
    for (const int divisor : {1023, 1024}) {
      const Frame frame{line.at("width"), line.at("height"), divisor};
      const auto objects = parse_objects(line.at("text").get<std::string>(), frame, {}).objects;
      const Json& expected = line.at("xyxy_" + std::to_string(divisor));
      ASSERT_THAT(objects, SizeIs(expected.size()));
      for (std::size_t i = 0; i < objects.size(); ++i)
        for (int side = 0; side < 4; ++side)
          EXPECT_DOUBLE_EQ(objects[i].box[side], expected[i][side].get<double>());  // 4 ulp: * and / in another order
    }
  }
}

TEST(Parse, ClipsToThePicture) {
  // 1000 / 800 * 40 = 50 > 40; 200 / 800 * 80 = 20.
  const auto parsed = parse_objects("<loc0200><loc0000><loc0900><loc1000> cow", {40, 80, 800}, {});
  ASSERT_THAT(parsed.objects, SizeIs(1));
  EXPECT_THAT(parsed.objects[0].box, ElementsAre(0, 20, 40, 80));
  // What the clipping empties is no object.
  EXPECT_THAT(parse_objects("<loc0810><loc0000><loc0900><loc1000> cow", {40, 80, 800}, {}).warnings,
              ElementsAre(FieldsAre("empty_box", "<loc0810><loc0000><loc0900><loc1000> cow")));
}

TEST(Parse, FindsTheAskedLabel) {
  const std::vector<std::string> asked{"cow", " black cat ", "cow"};
  const std::string box = "<loc0001><loc0002><loc0003><loc0004>";
  const auto parsed = parse_objects(box + " black cat ; " + box + " cow ; " + box + " Cow ; " + box, {100, 100}, asked);
  ASSERT_THAT(parsed.objects, SizeIs(4));
  EXPECT_EQ(parsed.objects[0].label_index, 1);
  EXPECT_EQ(parsed.objects[1].label_index, 0);
  EXPECT_EQ(parsed.objects[2].label_index, std::nullopt);
  EXPECT_EQ(parsed.objects[3].label_index, std::nullopt);
}

// Places that the golden lines leave open.
TEST(Parse, OneWarningForAGroupAndOneForAnItem) {
  const std::string seg = "<seg001><seg002>";
  EXPECT_THAT(parse("<loc0001>" + seg + " cat").warnings,
              ElementsAre(FieldsAre("loc_count", "<loc0001>" + seg + " cat")));
  EXPECT_THAT(parse("<loc0001><loc0001><loc0001><loc0001>" + seg).warnings,
              ElementsAre(FieldsAre("empty_box", testing::_)));
  EXPECT_THAT(parse(";a ; b;<loc0001><loc0002><loc0003><loc0004>\n;c ;;d").warnings,
              ElementsAre(FieldsAre("stray_text", "a"), FieldsAre("stray_text", "b"), FieldsAre("stray_text", "c"),
                          FieldsAre("stray_text", "d")));
}

TEST(Parse, KeepsBytesThatAreNotUtf8) {
  const auto parsed = parse("<loc0001><loc0002><loc0003><loc0004> \xff\xc3");
  ASSERT_THAT(parsed.objects, SizeIs(1));
  EXPECT_EQ(parsed.objects[0].label, "\xff\xc3");
}

std::vector<Token> tokens(std::vector<std::pair<std::string, double>> texts) {
  std::vector<Token> result;
  for (auto& [text, logprob] : texts) result.push_back({.text = text, .logprob = logprob});
  return result;
}

Parsed scored(const std::vector<Token>& tokens, ScoreKind kind = ScoreKind::loc_geomean) {
  std::string text;
  for (const Token& token : tokens) text += token.text;
  Parsed parsed = parse(text);
  score_objects(parsed, tokens, kind);
  return parsed;
}

TEST(Score, IsTheGeometricMeanOfTheFourLocs) {
  // Probabilities 1/2, 1/4, 1/8, 1 of the first object: (1/64)^(1/4) = 2^-1.5. Of the second: all 0.81. The label, the
  // separator, seg tokens and the broken group between them do not count; an object from a forced suffix is like
  // others.
  const double half = std::log(0.5), most = std::log(0.81);
  const auto parsed = scored(tokens({{"", -9},
                                     {"x", -9},
                                     {"<loc0010>", half},
                                     {"<loc0020>", 2 * half},
                                     {"<loc0030>", 3 * half},
                                     {"<loc0040>", 0},
                                     {"<seg001>", -5},
                                     {" c", -7},
                                     {"ow", -7},
                                     {" ;", -7},
                                     {" ", -7},
                                     {"<loc0007>", -0.5},
                                     {" cow ; ", -0.5},
                                     {"", -3},
                                     {"<loc0050>", most},
                                     {"<loc0060>", most},
                                     {"<loc0070>", most},
                                     {"<loc0080>", most}}));
  ASSERT_THAT(parsed.objects, SizeIs(2));
  EXPECT_EQ(parsed.places[0].begin, 1u);
  EXPECT_EQ(parsed.places[1].begin, 1u + 36 + 8 + 7 + 9 + 7);
  EXPECT_DOUBLE_EQ(parsed.objects[0].score.value(), 0.35355339059327379);
  EXPECT_DOUBLE_EQ(parsed.objects[1].score.value(), 0.81);
}

// Two tokens of the first label, 1/2 and 1/4, and none of what is around them; a label in bytes, whose text comes with
// the separator, 1/2 each; a label at the end, 0.3; a box without a label.
TEST(Score, IsTheProbabilityOfTheLabel) {
  const double half = std::log(0.5);
  std::vector<std::pair<std::string, double>> written{{"stray ", -9}};
  const auto write = [&](std::initializer_list<std::pair<std::string, double>> behind) {
    for (int i = 0; i < 4; ++i) written.emplace_back("<loc0" + std::to_string(100 + 100 * i) + ">", -7);
    written.insert(written.end(), behind);
  };
  write({{" light", half}, {" bulb", 2 * half}, {" ;", -7}, {" ", -7}});
  write({{"<seg001>", -7}, {" ", half}, {"", half}, {"", half}, {"\u00e9 ;", -7}, {" ", -7}});
  write({{" ;", -7}, {" ", -7}});
  write({{" cow", std::log(0.3)}, {"", -7}});
  const Parsed parsed = scored(tokens(written), ScoreKind::label_prob);
  ASSERT_THAT(parsed.objects, SizeIs(4));
  EXPECT_DOUBLE_EQ(parsed.objects[0].score.value(), 0.125);
  EXPECT_EQ(parsed.objects[1].label, "\u00e9");
  EXPECT_DOUBLE_EQ(parsed.objects[1].score.value(), 0.125);
  EXPECT_EQ(parsed.objects[2].score, std::nullopt);
  EXPECT_DOUBLE_EQ(parsed.objects[3].score.value(), 0.3);
  for (const Object& object : parsed.objects) EXPECT_EQ(object.score_kind, ScoreKind::label_prob);
}

TEST(Score, NeedsFourSingleTokens) {
  EXPECT_EQ(scored(tokens({{"<loc0010>", -1}, {"<loc0020>", -1}, {"<loc", -1}, {"0030>", -1}, {"<loc0040>", -1}}))
                .objects.at(0)
                .score,
            std::nullopt);
  // Fewer tokens than the text has, and none.
  auto parsed = parse("<loc0010><loc0020><loc0030><loc0040> cow");
  score_objects(parsed, tokens({{"<loc0010>", -1}, {"<loc0020>", -1}, {"<loc0030>", -1}}), ScoreKind::loc_geomean);
  score_objects(parsed, {}, ScoreKind::loc_geomean);
  EXPECT_EQ(parsed.objects.at(0).score, std::nullopt);
}

}  // namespace
}  // namespace paligemma
