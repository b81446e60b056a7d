// Expected values: Python 3.11's str.lower(), split() and strip().
#include "text/characters.h"

#include <gtest/gtest.h>

namespace paligemma {
namespace {

TEST(Characters, ThereAndBack) {
  const std::string text = "a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x91\xa9";
  EXPECT_EQ(code_points(text), U"a\u00e9\u65e5\U0001f469");
  EXPECT_EQ(utf8(code_points(text)), text);
  EXPECT_EQ(code_points("\xff"
                        "a\xe6\x97"),
            U"\ufffda\ufffd\ufffd");
}

TEST(Characters, SmallLetters) {
  EXPECT_EQ(lower_case(U"A\u00c9\u0416\u1e9e\u01c5"), U"a\u00e9\u0436\u00df\u01c6");
  EXPECT_EQ(lower_case(U"\u0130I"), U"i\u0307i");
  EXPECT_EQ(lower_case(U"\u039f\u03a3 \u03a3\u0391\u03a3. \u03a3 \u03a3\u0391\u0301\u03a3\u0301!"),
            U"\u03bf\u03c2 \u03c3\u03b1\u03c2. \u03c3 \u03c3\u03b1\u0301\u03c2\u0301!");
  EXPECT_EQ(lower_case(U"\u0391\u03a3'\u0391"), U"\u03b1\u03c3'\u03b1");
}

TEST(Characters, WhiteSpace) {
  for (const char32_t c : U"\t\n\v\f\r\x1c\x1d\x1e\x1f \u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\u0085")
    EXPECT_EQ(is_space(c), c != 0) << static_cast<int>(c);
  EXPECT_FALSE(is_space(U'\u200b') || is_space(U'\ufeff') || is_space(U'a'));
  EXPECT_EQ(strip(U" \u3000a b\t"), U"a b");
  EXPECT_EQ(strip(U" \n"), U"");
}

TEST(Characters, Kinds) {
  EXPECT_TRUE(is_digit(U'7') && is_digit(U'\u0667') && !is_digit(U'\u00b2') && !is_digit(U'x'));
  EXPECT_EQ(digit_value(U'7'), 7);
  EXPECT_EQ(digit_value(U'\u0663'), 3);
  EXPECT_EQ(digit_value(U'\U0001d7d9'), 1);  // the second row of three
  EXPECT_TRUE(is_letter(U'x') && is_letter(U'\u65e5') && !is_letter(U'7') && !is_letter(U'\u0301'));
  EXPECT_TRUE(is_upper(U'\u00c9') && !is_upper(U'\u00e9') && !is_upper(U'\u65e5'));
}

}  // namespace
}  // namespace paligemma
