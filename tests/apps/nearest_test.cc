#include "nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace paligemma {
namespace {

TEST(EditDistance, CountsWhatHasToChange) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("caption", "capton"), 1);
  EXPECT_EQ(edit_distance("ocr", "orc"), 1);  // a swap
  EXPECT_EQ(edit_distance("detect", "detect"), 0);
}

TEST(Nearest, NamesTheClosest) {
  const std::vector<std::string> words = {"caption", "ocr", "ask", "detect", "segment"};
  EXPECT_EQ(nearest("captoin", words), "caption");
  EXPECT_EQ(nearest("segmnt", words), "segment");
  EXPECT_EQ(nearest("orc", words), "ocr");
}

TEST(Nearest, IsSilentWhenNothingIsNear) {
  const std::vector<std::string> words = {"caption", "ocr"};
  EXPECT_EQ(nearest("xyzzy", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'c'), words), "");
}

TEST(Nearest, TakesTheFirstOfEquals) {
  const std::vector<std::string> words = {"--top-k", "--top-p"};
  EXPECT_EQ(nearest("--top-x", words), "--top-k");
}

}  // namespace
}  // namespace paligemma
