// Words of CoreNLP 3.4.1's PTBTokenizer: of made captions with coco-caption's removal of punctuation (golden/metrics),
// and of texts that try its rules (eval/ptb_words.jsonl: what the Java program makes of the texts as lines of one
// document, in small letters). tests/interop/captions.py compares many more.
#include "eval/ptb_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/golden.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> ptb_words_of(const std::string& text) { return ptb_words(std::vector{text}).front(); }

std::string joined_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

TEST(PtbTokenizer, AsTheJavaOne) {
  std::size_t texts = 0;
  for (const Json& line : golden_lines("eval/ptb_words.jsonl")) {
    EXPECT_EQ(Json(ptb_words(line["texts"].get<std::vector<std::string>>())), line["words"]) << line["texts"];
    texts += line["texts"].size();
  }
  EXPECT_GT(texts, 500u);
}

TEST(PtbTokenizer, CaptionsAsCocoCaption) {
  std::vector<std::string> predictions, references, expected_predictions, expected_references;
  for (const Json& line : golden_lines("metrics/captions.jsonl")) {
    predictions.push_back(line["prediction"]);
    expected_predictions.push_back(line["prediction_tokens"]);
    for (const std::string reference : line["references"]) references.push_back(reference);
    for (const std::string reference : line["references_tokens"]) expected_references.push_back(reference);
  }
  const auto compare = [](const std::vector<std::string>& texts, const std::vector<std::string>& expected) {
    const auto words = caption_words(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(joined_words(words[i]), expected[i]) << texts[i];
  };
  compare(predictions, expected_predictions);
  compare(references, expected_references);
}

TEST(PtbTokenizer, LineEndsAreSpacesInsideATextAndLookAheadBetweenTexts) {
  EXPECT_THAT(ptb_words_of("a\ncow\r\n."), ElementsAre("a", "cow", "."));
  EXPECT_THAT(ptb_words(std::vector<std::string>{"an inc.", "The"}),
              ElementsAre(ElementsAre("an", "inc.", "."), ElementsAre("the")));
  EXPECT_THAT(ptb_words(std::vector<std::string>{"an inc.", "the"}),
              ElementsAre(ElementsAre("an", "inc."), ElementsAre("the")));
  EXPECT_THAT(ptb_words(std::vector<std::string>{"", " ", "a"}),
              ElementsAre(ElementsAre(), ElementsAre(), ElementsAre("a")));
  EXPECT_TRUE(ptb_words({}).empty());
}

TEST(PtbTokenizer, AnyBytes) {
  EXPECT_THAT(ptb_words_of("a\xff\xf0\x9f\x91\xa9 b"), ElementsAre("a", "b"));
  EXPECT_THAT(ptb_words_of(std::string("a\0b", 3)), ElementsAre("a", "b"));
  EXPECT_THAT(ptb_words_of("http://a.b/\xf0\x9f\x91\xa9"), ElementsAre("http://a.b/\xf0\x9f\x91\xa9"));
}

}  // namespace
}  // namespace paligemma::test
