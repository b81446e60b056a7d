#include "io/csv.h"

#include "contents.h"

namespace paligemma {
namespace {

struct Row {
  std::size_t line;
  std::vector<std::string> fields;
  bool operator==(const Row&) const = default;
};

std::vector<Row> rows(std::string_view text, char separator = ',') {
  std::vector<Row> result;
  parse_csv(text, "a.csv", ErrorKind::usage, separator, [&](std::size_t line, std::span<const std::string> fields) {
    result.push_back({line, {fields.begin(), fields.end()}});
  });
  return result;
}

TEST(Csv, ReadsRows) {
  EXPECT_EQ(rows("a,b\r\n1,2\r\n"), (std::vector<Row>{{1, {"a", "b"}}, {2, {"1", "2"}}}));
  EXPECT_EQ(rows("a,b\n1,2"), (std::vector<Row>{{1, {"a", "b"}}, {2, {"1", "2"}}}));
  EXPECT_EQ(rows("a\r1\r"), (std::vector<Row>{{1, {"a"}}, {2, {"1"}}}));
  EXPECT_EQ(rows("\xef\xbb\xbf"
                 "a,,\n,,"),
            (std::vector<Row>{{1, {"a", "", ""}}, {2, {"", "", ""}}}));
  EXPECT_EQ(rows("a;b,c", ';'), (std::vector<Row>{{1, {"a", "b,c"}}}));
  EXPECT_EQ(rows(""), std::vector<Row>());
}

TEST(Csv, ReadsQuotedFields) {
  EXPECT_EQ(rows("\"a, \"\"b\"\"\",\"\"\n\"two\nlines\",x\ny,z\n"),
            (std::vector<Row>{{1, {"a, \"b\"", ""}}, {2, {"two\nlines", "x"}}, {4, {"y", "z"}}}));
  EXPECT_EQ(rows("a\"b,c"), (std::vector<Row>{{1, {"a\"b", "c"}}}));
}

TEST(Csv, SkipsEmptyRows) { EXPECT_EQ(rows("a\n\n\nb\n"), (std::vector<Row>{{1, {"a"}}, {4, {"b"}}})); }

TEST(Csv, RefusesBadQuotes) {
  expect_error(ErrorKind::usage, "csv", "a.csv: line 2: expected rows of RFC 4180, got a quote that nothing closes",
               [] { rows("a,b\n1,\"2\n3"); });
  expect_error(ErrorKind::usage, "csv", "line 1: expected rows of RFC 4180, got text behind a closing quote",
               [] { rows("\"a\"b,c"); });
}

}  // namespace
}  // namespace paligemma
