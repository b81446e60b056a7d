// A tokenizer that is learned from texts.
#include "text/learn_tokenizer.h"

#include <gtest/gtest.h>

#include <vector>

#include "text/tokenizer.h"

namespace paligemma::test {
namespace {

const std::vector<std::string> kTexts = {
    "where is the cow?", "the cow, two cows", "소가 있다",
    "소는 있다",         "a sign says STOP",  "<loc0001><loc0002><loc0003><loc0004> cow ; <loc0001> cow"};

std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> out;
  for (const std::int32_t id : tokenizer.encode(text, Specials::tokens)) out.emplace_back(tokenizer.piece(id));
  return out;
}

// All is merged that can be: a word is a piece, but for what is spelled and for what was not there.
TEST(LearnTokenizer, MakesWordsPieces) {
  const Tokenizer tokenizer = Tokenizer::from_json(learn_tokenizer(kTexts, 2000), "learned");
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces(tokenizer, "where is the cow?"), (Pieces{"where", "▁is", "▁the", "▁cow", "?"}));
  EXPECT_EQ(pieces(tokenizer, "two cows"), (Pieces{"two", "▁cows"}));
  EXPECT_EQ(pieces(tokenizer, "소는 있다"), (Pieces{"소는", "▁있다"}));
  EXPECT_EQ(pieces(tokenizer, " STOP"), (Pieces{"▁", "S", "T", "O", "P"}));
  EXPECT_EQ(pieces(tokenizer, "<loc0001> cow ;"), (Pieces{"<loc0001>", "▁cow", "▁;"}));
  EXPECT_EQ(pieces(tokenizer, "é"), (Pieces{"<0xC3>", "<0xA9>"}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("the cow is 개 é", Specials::text), false), "the cow is 개 é");
}

TEST(LearnTokenizer, HasTheTokensOfPaliGemma) {
  const Tokenizer tokenizer = Tokenizer::from_json(learn_tokenizer(kTexts, 2000), "learned");
  EXPECT_EQ(tokenizer.pad(), 0);
  EXPECT_EQ(tokenizer.eos(), 1);
  EXPECT_EQ(tokenizer.bos(), 2);
  EXPECT_EQ(tokenizer.piece(4), "<unused0>");
  ASSERT_TRUE(tokenizer.loc_begin() && tokenizer.seg_begin() && tokenizer.image());
  EXPECT_EQ(*tokenizer.seg_begin(), *tokenizer.loc_begin() + 1024);
  EXPECT_EQ(*tokenizer.image(), *tokenizer.seg_begin() + 128);
  EXPECT_EQ(tokenizer.size(), *tokenizer.image() + 1);
}

// With little room the most frequent pairs come first: "co" and "cow" before anything of the texts' longer words.
TEST(LearnTokenizer, FillsTheSize) {
  const int all = Tokenizer::from_json(learn_tokenizer(kTexts, 4000), "learned").size();
  for (const int size : {all - 10, all - 20}) {
    const Tokenizer tokenizer = Tokenizer::from_json(learn_tokenizer(kTexts, size), "learned");
    EXPECT_EQ(tokenizer.size(), size);
    EXPECT_EQ(pieces(tokenizer, " cow").size(), 1u);
    EXPECT_GT(pieces(tokenizer, " says").size(), 1u);
  }
  EXPECT_THROW(learn_tokenizer(kTexts, 1400), Error);
}

}  // namespace
}  // namespace paligemma::test
