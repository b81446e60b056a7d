// pycocoevalcap 1.2 with its Java tokenizer on made captions (golden/metrics).
#include "eval/caption_scores.h"

#include <gtest/gtest.h>

#include <numeric>
#include <sstream>

#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

// Between spaces.
Words words_of(const std::string& text) {
  Words words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ' ');) words.push_back(word);
  return words;
}

std::vector<CaptionWords> golden_captions() {
  std::vector<CaptionWords> captions;
  for (const Json& line : golden_lines("metrics/captions.jsonl")) {
    CaptionWords& caption = captions.emplace_back();
    caption.prediction = words_of(line["prediction_tokens"]);
    for (const std::string reference : line["references_tokens"]) caption.references.push_back(words_of(reference));
  }
  return captions;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST(CaptionScores, AsCocoCaption) {
  const std::vector<CaptionWords> all = golden_captions();
  const Json golden = golden_json("metrics/captions_expected.json");
  struct Part {
    std::string name;
    std::size_t first, count;
  };
  for (const auto& [name, first, count] : {Part{"all_200", 0, 200}, Part{"first_12", 0, 12}, Part{"one", 20, 1}}) {
    SCOPED_TRACE(name);
    const std::span captions = std::span(all).subspan(first, count);
    const Json& expected = golden[name];
    const std::vector<double> ciders = cider(captions);
    const Bleu bleus = bleu(captions);
    std::vector<double> rouges;
    for (const CaptionWords& caption : captions) rouges.push_back(rouge_l(caption));
    EXPECT_NEAR(mean(ciders), expected["cider"].get<double>(), kMetricTolerance);
    EXPECT_NEAR(mean(rouges), expected["rouge_l"].get<double>(), kMetricTolerance);
    for (std::size_t n = 0; n < 4; ++n) EXPECT_NEAR(bleus.all[n], expected["bleu"][n].get<double>(), kMetricTolerance);
    if (!expected.contains("cider_each")) continue;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_NEAR(ciders[i], expected["cider_each"][i].get<double>(), kMetricTolerance) << i;
      EXPECT_NEAR(rouges[i], expected["rouge_each"][i].get<double>(), kMetricTolerance) << i;
      EXPECT_NEAR(bleus.each[i][3], expected["bleu4_each"][i].get<double>(), kMetricTolerance) << i;
    }
  }
}

TEST(CaptionScores, TextsWithoutWords) {
  const std::vector<CaptionWords> captions = {{.prediction = {}, .references = {{"a", "cow"}}},
                                              {.prediction = {"a", "cow"}, .references = {{}}},
                                              {.prediction = {}, .references = {{}}}};
  for (const double score : cider(captions)) EXPECT_EQ(score, 0);
  EXPECT_EQ(rouge_l(captions[0]), 0);
  EXPECT_EQ(rouge_l(captions[1]), 0);
  EXPECT_DOUBLE_EQ(rouge_l(captions[2]), 1);
  EXPECT_NEAR(bleu(captions).all[0], 0, kMetricTolerance);
  EXPECT_TRUE(cider({}).empty());
}

}  // namespace
}  // namespace paligemma::test
