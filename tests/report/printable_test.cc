#include "report/printable.h"

#include <gtest/gtest.h>

#include <limits>

namespace paligemma {
namespace {

using namespace std::string_view_literals;

TEST(Printable, KeepsTextOfAnyScript) {
  EXPECT_EQ(printable("a cow, 소, بقرة, 🐄, C/C=C\\C"), "a cow, 소, بقرة, 🐄, C/C=C\\C");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, ShowsAsciiControls) {
  EXPECT_EQ(printable("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(printable("\x1b[31m\x07\x7f\0."sv), "\\x1b[31m\\x07\\x7f\\x00.");
}

TEST(Printable, ShowsControlsBeyondAscii) {
  EXPECT_EQ(printable("\u009b31m"), "\\u009b31m");  // control sequence introducer in one code point
  EXPECT_EQ(printable("\u0080\u009f\u00a0"), "\\u0080\\u009f\u00a0");
  EXPECT_EQ(printable("\u202egpj.exe"), "\\u202egpj.exe");  // right-to-left override
  EXPECT_EQ(printable("\u2066\u2069\u2028\u2029"), "\\u2066\\u2069\\u2028\\u2029");
  EXPECT_EQ(printable("\u200d\u200f\u2027\u202f\u2065\u206a"), "\u200d\u200f\u2027\u202f\u2065\u206a");
}

TEST(Printable, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("a\x9b"), "a\\x9b");                           // a stray continuation: CSI on a Latin-1 terminal
  EXPECT_EQ(printable("\xc0\x8a"), "\\xc0\\x8a");                    // overlong newline
  EXPECT_EQ(printable("\xe0\x82\x9b"), "\\xe0\\x82\\x9b");           // overlong U+009B
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xec\x86"), "\\xec\\x86");  // cut off
  EXPECT_EQ(printable("\xec\nx"), "\\xec\\nx");    // a newline is no continuation
}

TEST(Printable, ShowsWhatIsNoCharacter) { EXPECT_EQ(printable("\uFFFD\uFFFE\uFFFF"), "\uFFFD\\ufffe\\uffff"); }

TEST(PrintableMarkup, HasNoMarkupOfItsOwn) {
  EXPECT_EQ(printable_markup("<b a=\"1\">소 & \x01</b>"), "&lt;b a=&quot;1&quot;&gt;소 &amp; \\x01&lt;/b&gt;");
}

TEST(Fixed, RoundsAndPads) {
  EXPECT_EQ(fixed(0.91, 3), "0.910");
  EXPECT_EQ(fixed(320.26, 1), "320.3");
  EXPECT_EQ(fixed(1, 0), "1");
  EXPECT_EQ(fixed(std::numeric_limits<double>::max(), 3).size(), 313u);  // 309 digits, the point, 3 digits
}

TEST(Printable, Times) {
  for (const auto& [seconds, text] : {std::pair{0.2, "0 s"},
                                      {34.4, "34 s"},
                                      {99.4, "99 s"},
                                      {99.6, "2 min"},
                                      {5900.0, "98 min"},
                                      {5999.0, "1 h 40 min"},
                                      {11100.0, "3 h 05 min"},
                                      {172800.0, "2 d 0 h"},
                                      {198000.0, "2 d 7 h"},
                                      {-1.0, "0 s"},
                                      {0.0 / 0.0, "0 s"}})
    EXPECT_EQ(readable_time(seconds), text);
}

}  // namespace
}  // namespace paligemma
