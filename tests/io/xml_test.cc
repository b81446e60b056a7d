#include "io/xml.h"

#include "contents.h"

namespace paligemma {
namespace {

XmlElement xml(std::string_view text) { return parse_xml(text, "a.xml", ErrorKind::usage); }

TEST(Xml, IsATree) {
  const XmlElement root =
      xml("<?xml version=\"1.0\"?><!-- x --><a k=\"v\"> one <b>2 &lt; 3</b>\n<b><c/></b> &#233;</a>");
  EXPECT_EQ(root.name, "a");
  EXPECT_EQ(root.text, "one \n é");
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.text_of("b"), "2 < 3");
  EXPECT_EQ(root.children[1].children[0].name, "c");
  EXPECT_EQ(root.text_of("d"), "");
  EXPECT_EQ(root.child("d"), nullptr);
}

TEST(Xml, OfAnotherEncodingBecomesUtf8) {
  EXPECT_EQ(xml("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>").text, "é");
}

TEST(Xml, RefusesWhatIsNone) {
  expect_error(ErrorKind::usage, "xml", "a.xml: line 1: no element found", [] { xml(""); });
  expect_error(ErrorKind::usage, "xml", "a.xml: line 2: mismatched tag", [] { xml("<a>\n</b>"); });
  expect_error(ErrorKind::usage, "xml", "junk after document element", [] { xml("<a/><b/>"); });
  expect_error(ErrorKind::usage, "xml", "not well-formed", [] { xml("<a>\xff</a>"); });
}

TEST(Xml, RefusesEntitiesOfItsOwn) {
  expect_error(ErrorKind::usage, "xml", "expected plain elements, got an entity of its own",
               [] { xml("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"); });
}

TEST(Xml, RefusesDeepTrees) {
  std::string text;
  for (int i = 0; i < 64; ++i) text += "<a>";
  std::string end;
  for (int i = 0; i < 64; ++i) end += "</a>";
  EXPECT_EQ(xml(text + end).name, "a");
  expect_error(ErrorKind::usage, "xml", "nested too deeply", [&] { xml("<a>" + text + end + "</a>"); });
}

}  // namespace
}  // namespace paligemma
