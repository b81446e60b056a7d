#include "io/yaml.h"

#include "contents.h"

namespace paligemma {
namespace {

std::string yaml(std::string_view text) { return dump_json(parse_yaml(text, "a.yaml", ErrorKind::usage)); }

TEST(Yaml, ReadsMapsListsAndScalars) {
  EXPECT_EQ(yaml("train: ../train/images\nval:\n  - a\n  - b\nnc: 2\nnames: ['cow', \"a: b\"]\n# a comment\nx: ~\n"),
            R"({"train":"../train/images","val":["a","b"],"nc":2,"names":["cow","a: b"],"x":null})");
  EXPECT_EQ(yaml("names:\n  0: person\n  1: traffic light\n"), R"({"names":{"0":"person","1":"traffic light"}})");
  EXPECT_EQ(yaml("{a: -1.5, b: 1e3, c: true, d: False, e: '1', f: 1.2.3, g: +7}"),
            R"({"a":-1.5,"b":1000.0,"c":true,"d":false,"e":"1","f":"1.2.3","g":7})");
  EXPECT_EQ(yaml("no\n"), "\"no\"");
  EXPECT_EQ(yaml("---\na: |\n  two\n  lines\n...\n"), "{\"a\":\"two\\nlines\\n\"}");
  EXPECT_EQ(yaml(""), "null");
  EXPECT_EQ(yaml("a:\nb: ''\n"), R"({"a":null,"b":""})");
}

TEST(Yaml, RefusesWhatGrowsOrIsUnclear) {
  const auto refused = [](std::string_view text, std::string_view part) {
    expect_error(ErrorKind::usage, "yaml", part, [&] { yaml(text); });
  };
  refused("a: &x [1]\nb: *x\n", "a.yaml: line 1: expected plain values, got an anchor or a tag");
  refused("a: !!python/object:os.system x\n", "line 1: expected plain values, got an anchor or a tag");
  refused("b: *x\n", "expected plain values, got an alias");
  refused("a: 1\na: 2\n", "line 2: the key \"a\" is there twice");
  refused("[a]: 1\n", "expected a key of text");
  refused("a: [1,\n", "a.yaml: line 2");
  refused("a: b: c\n", "line 1: mapping values are not allowed");
  refused("a\n---\nb\n", "expected one document");
  refused(std::string(65, '[') + std::string(65, ']'), "nested too deeply");
}

}  // namespace
}  // namespace paligemma
