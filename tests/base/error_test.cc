#include "base/error.h"

#include <gtest/gtest.h>

namespace paligemma {
namespace {

TEST(Error, JoinsItsParts) {
  EXPECT_EQ(join("tensor ", std::string("a"), ": expected ", 3, ", got ", 2.5), "tensor a: expected 3, got 2.5");
}

TEST(Error, CarriesKindCodeAndMessage) {
  try {
    fail(ErrorKind::model, "codec", "cannot read: ", 7);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model);
    EXPECT_EQ(error.code(), "codec");
    EXPECT_STREQ(error.what(), "cannot read: 7");
    return;
  }
  FAIL();
}

TEST(Error, LongMessagesAreCutBetweenCharacters) {
  for (const std::size_t before : {7997u, 7998u, 7999u, 8000u}) {
    std::string text(before, 'x');
    for (int i = 0; i < 100; ++i) text += "€";
    try {
      fail(ErrorKind::model, "json", text);
    } catch (const Error& error) {
      const std::string kept = std::string(before, 'x') + (before == 7997u ? "€" : "");
      EXPECT_EQ(std::string(error.what()), kept + "...");
    }
  }
}

}  // namespace
}  // namespace paligemma
