#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

namespace paligemma {
namespace {

TEST(NoDraw, SaysSo) {
  try {
    draw({.width = 1, .height = 1, .rgb = {0, 0, 0}}, {}, "png");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.code(), "no_drawing");
  }
}

}  // namespace
}  // namespace paligemma
