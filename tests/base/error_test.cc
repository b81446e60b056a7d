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

}  // namespace
}  // namespace paligemma
