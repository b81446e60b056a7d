#include "text/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace paligemma {
namespace {

std::string encoded(unsigned c) {
  std::string bytes;
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) {
    bytes += static_cast<char>(0xc0 | c >> 6);
  } else if (c < 0x10000) {
    bytes += static_cast<char>(0xe0 | c >> 12);
    bytes += static_cast<char>(0x80 | (c >> 6 & 0x3f));
  } else {
    bytes += static_cast<char>(0xf0 | c >> 18);
    bytes += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    bytes += static_cast<char>(0x80 | (c >> 6 & 0x3f));
  }
  return bytes += static_cast<char>(0x80 | (c & 0x3f));
}

TEST(Utf8, MeasuresEveryCharacterAndRefusesSurrogates) {
  for (unsigned c = 0; c < 0x110000; ++c) {
    const std::string text = encoded(c);
    const bool surrogate = c >= 0xd800 && c < 0xe000;
    ASSERT_EQ(utf8_length(text + "\xbf", 0), surrogate ? 0 : text.size()) << c;
    if (text.size() == 1) continue;
    ASSERT_EQ(utf8_length(std::string_view(text).substr(0, text.size() - 1), 0), 0u) << c;
  }
}

TEST(Utf8, RefusesWhatIsNoCharacter) {
  for (const std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3(", "\xe0\x9f\xbf", "\xe2\x28\xa1", "\xe2\x82\x28", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98\x28", "\xff"}) {
    EXPECT_EQ(utf8_length(text, 0), 0u) << text;
    EXPECT_FALSE(is_utf8(text));
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("caf\xc3\xa9 \xf0\x9f\x98\x80"));
}

}  // namespace
}  // namespace paligemma
