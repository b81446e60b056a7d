#include "io/json.h"

#include <string>
#include <vector>

#include "contents.h"

namespace paligemma {
namespace {

Json parse(std::string_view text) { return parse_json(text, "a.json", ErrorKind::model); }

void expect_json_refused(std::string_view text, std::string_view part) {
  SCOPED_TRACE(text.substr(0, 80));
  expect_error(ErrorKind::model, "json", part, [&] { parse(text); });
  expect_error(ErrorKind::model, "json", "a.json", [&] { parse(text); });
}

TEST(Json, ReadsEveryKindOfValueInOrder) {
  const Json value =
      parse(R"( {"z": [1, -2, 2.5, 18446744073709551615], "a": {"x": null, "b": true}, "é": "\u00e9\ud83d\ude00"} )");
  EXPECT_EQ(dump_json(value), "{\"z\":[1,-2,2.5,18446744073709551615],\"a\":{\"x\":null,\"b\":true},\"é\":\"é😀\"}");
  EXPECT_TRUE(value["z"][0].is_number_unsigned());
  EXPECT_TRUE(value["z"][1].is_number_integer());
  EXPECT_TRUE(value["z"][2].is_number_float());
  EXPECT_EQ(parse("3"), 3);
  EXPECT_EQ(parse("[]"), Json::array());
  EXPECT_EQ(parse(R"([{},[],""])").size(), 3u);
}

TEST(Json, IsStrict) {
  expect_json_refused("", "unexpected end of input");
  expect_json_refused("{", "unexpected end of input");
  expect_json_refused("[1,]", "line 1, column 4");
  expect_json_refused("{\"a\":1,}", "column 8");
  expect_json_refused("[1] 2", "column 5");
  expect_json_refused("// x\n1", "column 1");
  expect_json_refused("{'a':1}", "column 2");
  expect_json_refused("[01]", "column 3");
  expect_json_refused("[NaN]", "column 2");
  expect_json_refused("[1e999]", "number overflow");
  expect_json_refused("\"\xff\"", "UTF-8");
  expect_json_refused("\"\xed\xa0\x80\"", "UTF-8");  // a surrogate
  expect_json_refused("\"\\ud800\"", "surrogate");
  expect_json_refused(std::string_view("\"a\0b\"", 5), "control character");
}

TEST(Json, RefusesDuplicateKeysInOneObject) {
  expect_json_refused(R"({"a":1,"b":2,"a":3})", "the key \"a\" is there twice");
  expect_json_refused(R"([{"x":{"a":1,"\u0061":2}}])", "the key \"a\" is there twice");
  EXPECT_EQ(parse(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})").size(), 2u);
}

TEST(Json, RefusesMoreThan128Levels) {
  EXPECT_NO_THROW(parse(std::string(128, '[') + std::string(128, ']')));
  expect_json_refused(std::string(129, '[') + std::string(129, ']'), "128 levels");
  expect_json_refused(std::string(10'000'000, '['), "128 levels");
}

TEST(Json, MessagesStayShort) {
  try {
    parse("[" + std::string(1'000'000, 'x'));
    FAIL();
  } catch (const Error& error) {
    EXPECT_LT(std::string_view(error.what()).size(), 300u);
  }
}

TEST(Json, ManyKeysAreNotQuadratic) {
  std::string text = "{\"k\":0";
  for (int i = 0; i < 100'000; ++i) text += ",\"" + std::to_string(i) + "\":0";
  EXPECT_EQ(parse(text + "}").size(), 100'001u);  // minutes, if each key were compared with all others
}

TEST(Json, MembersComeOneByOne) {
  std::vector<std::string> seen;
  const auto use = [&](const std::string& key, const Json& value) { seen.push_back(key + dump_json(value)); };
  parse_json_members(R"({"a":1,"b":{"c":[2,{}]},"a":[]})", "x", ErrorKind::model, use);
  EXPECT_THAT(seen, testing::ElementsAre("a1", R"(b{"c":[2,{}]})", "a[]"));
  for (const char* text : {"[]", "1", "[{\"a\":1}]"})
    expect_error(ErrorKind::model, "json", "expected an object",
                 [&] { parse_json_members(text, "x", ErrorKind::model, use); });
  EXPECT_EQ(seen.size(), 3u);
  parse_json_members("{}", "x", ErrorKind::model, use);
  EXPECT_EQ(seen.size(), 3u);
}

TEST(Json, InvalidUtf8IsReplacedWhenPrinted) { EXPECT_EQ(dump_json(Json("a\xff")), "\"a\xef\xbf\xbd\""); }

using Items = std::vector<std::pair<std::string, std::string>>;

Items items(std::string_view text, std::size_t most = 100) {
  Items seen;
  parse_json_items(text, "a.json", ErrorKind::usage, [&](const std::string& key, const Json& value) {
    seen.emplace_back(key, dump_json(value));
    return seen.size() < most;
  });
  return seen;
}

TEST(JsonItems, AreTheElementsOfTheOutermostLists) {
  EXPECT_EQ(
      items(R"({"a":1,"b":[2,[3],{"c":[4]}],"d":{"e":[5,6]},"f":[],"g":"x"})"),
      (Items{{"a", "1"}, {"b", "2"}, {"b", "[3]"}, {"b", R"({"c":[4]})"}, {"d", R"({"e":[5,6]})"}, {"g", "\"x\""}}));
  EXPECT_EQ(items(R"([1,[2,3],{"a":[4]},[]])"), (Items{{"", "1"}, {"", "[2,3]"}, {"", R"({"a":[4]})"}, {"", "[]"}}));
  EXPECT_EQ(items("{}"), Items());
  EXPECT_EQ(items("[]"), Items());
}

TEST(JsonItems, EndWhereTheyAreNoLongerWanted) {
  EXPECT_EQ(items(R"({"a":[1,2,3],"b":[no json)", 2), (Items{{"a", "1"}, {"a", "2"}}));
  expect_error(ErrorKind::usage, "json", "a.json", [] { items(R"({"a":[1,2,3],"b":[no json)"); });
  expect_error(ErrorKind::usage, "json", "got a single value", [] { items("7"); });
  expect_error(ErrorKind::usage, "json", "twice", [] { items(R"([{"a":1,"a":2}])"); });
}

}  // namespace
}  // namespace paligemma
