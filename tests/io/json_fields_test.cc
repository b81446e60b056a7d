#include "io/json_fields.h"

#include "support/errors.h"

namespace paligemma {
namespace {

// Fields of an object in a file called "f".
class Fields : public ::testing::Test {
 protected:
  void expect_refused(const std::string& message, const std::function<void()>& read) const {
    expect_error(ErrorKind::model, "c", "cannot use it: f: " + message, read);
  }
  static JsonOrigin origin() { return {ErrorKind::model, "c", "cannot use it", "f"}; }

  const Json json = parse_json(
      R"({"none": null, "flag": true, "whole": 3, "large": 18446744073709551615, "real": -2.5, "words": "w",
          "inner": {"size": 4, "deep": {"list": []}}})",
      "f", ErrorKind::failure);
  const JsonFields fields{json, origin()};
};

TEST_F(Fields, AreGivenWhereTheyAreThere) {
  EXPECT_EQ(fields.flag("flag"), true);
  EXPECT_EQ(fields.whole("whole", {1, 3}), 3);
  EXPECT_EQ(fields.number("whole", {0, 3}), 3.0);
  EXPECT_EQ(fields.number("real", kAnyFloat), -2.5);
  EXPECT_EQ(fields.text("words", *fields.find("words")), "w");
  EXPECT_EQ(fields.section("inner").whole("size", {0, 9}), 4);
  for (const char* key : {"none", "other"}) {
    EXPECT_EQ(fields.find(key), nullptr);
    EXPECT_EQ(fields.flag(key), std::nullopt);
    EXPECT_EQ(fields.whole(key, {0, 1}), std::nullopt);
    EXPECT_EQ(fields.number(key, kAnyFloat), std::nullopt);
    EXPECT_EQ(fields.section(key).find("size"), nullptr);
    fields.require(key, {1, 2});
    EXPECT_EQ(fields.agree(key, 5, "the test says"), 5);
  }
  fields.require("words", {"v", "w"});
  EXPECT_EQ(fields.agree("whole", 3, "the test says"), 3);
}

TEST_F(Fields, AreRefusedByTheirPlace) {
  expect_refused("flag: expected a whole number from 0 to 9, got true", [&] { fields.whole("flag", {0, 9}); });
  expect_refused("whole: expected a whole number from 4 to 9, got 3", [&] { fields.whole("whole", {4, 9}); });
  expect_refused("real: expected a whole number from -3 to 0, got -2.5", [&] { fields.whole("real", {-3, 0}); });
  expect_refused("large: expected a whole number from -9 to 9, got 18446744073709551615",
                 [&] { fields.whole("large", {-9, 9}); });
  expect_refused("real: expected a positive number that fits a float", [&] { fields.number("real", kPositiveFloat); });
  expect_refused("words: expected a number from 0 to 0.5, got \"w\"", [&] { fields.number("words", {0, 0.5}); });
  expect_refused("whole: expected true or false, got 3", [&] { fields.flag("whole"); });
  expect_refused("words: expected 1 or \"v\", got \"w\"", [&] { fields.require("words", {1, "v"}); });
  expect_refused("whole is 3, the test says 4", [&] { fields.agree("whole", 4, "the test says"); });
  expect_refused("part: expected text, got 3", [&] { fields.text("part", json["whole"]); });
  expect_refused("other: expected more, got none", [&] { fields.refuse("other", "more"); });
  expect_refused("none: expected more, got null", [&] { fields.refuse("none", "more"); });
  expect_refused("whole: expected an object, got 3", [&] { fields.section("whole"); });
  expect_refused("inner.deep.list: expected true or false, got []",
                 [&] { fields.section("inner").section("deep").flag("list"); });
  expect_refused("expected an object, got 3", [&] { JsonFields(json["whole"], origin()); });
}

TEST_F(Fields, AreShownInPart) {
  const Json long_text = std::string(1000, 'x');
  expect_refused("key: expected less, got \"" + std::string(99, 'x') + "...",
                 [&] { fields.refuse("key", "less", long_text); });
}

}  // namespace
}  // namespace paligemma
