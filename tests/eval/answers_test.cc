// big_vision's evaluators and jiwer on made answers (golden/metrics): each question's value where the reference says
// one, and all totals.
#include "eval/answers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "eval/text_distance.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

// Means by group.
class Totals {
 public:
  void add(const std::string& group, double value) {
    sums_[group] += value;
    ++counts_[group];
  }
  double mean(const std::string& group) const { return sums_.at(group) / counts_.at(group); }
  double count(const std::string& group) const { return counts_.at(group); }
  const std::map<std::string, double>& sums() const { return sums_; }

 private:
  std::map<std::string, double> sums_, counts_;
};

Json expected(const std::string& name) { return golden_json("metrics/qa_expected.json")[name]; }

std::vector<std::string> answers_of(const Json& line) {
  if (line.contains("answers")) return line["answers"];
  return {line["answer"].get<std::string>()};
}

TEST(Answers, VqaAsBigVision) {
  Totals totals;
  for (const Json& line : golden_lines("metrics/vqav2.jsonl")) {
    const double accuracy = vqa_accuracy(line["prediction"].get<std::string>(), answers_of(line));
    EXPECT_NEAR(accuracy, line["accuracy"].get<double>(), kMetricTolerance) << line;
    totals.add("", accuracy);
    totals.add(line["answer_type"], accuracy);
  }
  const Json all = expected("vqav2");
  EXPECT_NEAR(totals.mean(""), all["acc"].get<double>(), kMetricTolerance);
  for (const auto& [type, name] : {std::pair{"yes/no", "yesno"}, {"number", "number"}, {"other", "other"}}) {
    EXPECT_NEAR(totals.mean(type), all[std::string("acc/") + name].get<double>(), kMetricTolerance);
    EXPECT_EQ(totals.count(type), all[std::string("num/") + name].get<double>());
  }
}

TEST(Answers, VqaTextAsBigVision) {
  const Json texts = golden_json("metrics/vqav2_text.json");
  EXPECT_GT(texts.size(), 40u);
  for (const Json& one : texts) {
    EXPECT_EQ(vqa_spaces(one["text"].get<std::string>()), one["stripspace"].get<std::string>());
    EXPECT_EQ(vqa_text(vqa_spaces(one["text"].get<std::string>())), one["processed"].get<std::string>()) << one;
  }
}

TEST(Answers, SimpleVqaAsBigVision) {
  for (const char* lower : {"False", "True"}) {
    const bool small = std::string(lower) == "True";
    Totals one, many;
    for (const Json& line : golden_lines("metrics/vqav2.jsonl")) {
      const std::string prediction = line["prediction"];
      const std::vector<std::string> answers = answers_of(line), first = {answers.front()};
      many.add("acc", simple_vqa_accuracy(prediction, answers));
      many.add("acc_any", exact_match(prediction, answers));
      many.add("anls", anls(prediction, answers, small));
      one.add("acc", exact_match(prediction, first));
      one.add("acc_any", exact_match(prediction, first));
      one.add("anls", anls(prediction, first, small));
    }
    for (const char* name : {"acc", "acc_any", "anls"}) {
      const std::string settings = std::string("/to_lower=") + lower;
      EXPECT_NEAR(many.mean(name), expected("vqa_many_answers" + settings)[name].get<double>(), kMetricTolerance)
          << name;
      EXPECT_NEAR(one.mean(name), expected("vqa_single_answer" + settings)[name].get<double>(), kMetricTolerance)
          << name;
    }
  }
}

TEST(Answers, AnlsAsBigVision) {
  Totals totals;
  for (const Json& line : golden_lines("metrics/anls.jsonl")) {
    const std::string prediction = line["prediction"];
    const std::vector<std::string> answers = answers_of(line);
    EXPECT_NEAR(anls(prediction, answers, false), line["anls"].get<double>(), kMetricTolerance) << line;
    EXPECT_NEAR(anls(prediction, answers, true), line["anls_lower"].get<double>(), kMetricTolerance) << line;
    totals.add("anls", anls(prediction, answers, false));
    totals.add("acc", simple_vqa_accuracy(prediction, answers));
    totals.add("acc_any", exact_match(prediction, answers));
  }
  for (const auto& [name, sum] : totals.sums())
    EXPECT_NEAR(totals.mean(name), expected("anls/to_lower=False")[name].get<double>(), kMetricTolerance) << name;
}

TEST(Answers, AnlsLooksAtLettersAndAtHalf) {
  EXPECT_EQ(anls("TOTAL", std::vector<std::string>{"total"}, false), 0);
  EXPECT_EQ(anls("TOTAL", std::vector<std::string>{"total"}, true), 1);
  EXPECT_EQ(anls("ab", std::vector<std::string>{"ax"}, false), 0);
  EXPECT_EQ(anls("abc", std::vector<std::string>{"zzz", "abx"}, false), 1 - 1.0 / 3);
  EXPECT_EQ(anls("a", {}, false), 0);
}

TEST(Answers, ChartQaAsBigVision) {
  Totals totals;
  for (const Json& line : golden_lines("metrics/chartqa.jsonl")) {
    const std::string prediction = line["prediction"], answer = line["answer"];
    EXPECT_EQ(relaxed_match(prediction, answer), line["relaxed"].get<double>()) << line;
    totals.add("relaxed_acc", relaxed_match(prediction, answer));
    totals.add("acc", exact_match(prediction, answers_of(line)));
  }
  for (const auto& [name, sum] : totals.sums())
    EXPECT_NEAR(totals.mean(name), expected("chartqa")[name].get<double>(), kMetricTolerance) << name;
}

// What Python's float() takes.
TEST(Answers, NumbersAsPythonReadsThem) {
  EXPECT_EQ(read_number(" 1_000.5\n"), 1000.5);
  EXPECT_EQ(read_number("+1e3"), 1000.0);
  EXPECT_EQ(read_number("-.5"), -.5);
  EXPECT_EQ(read_number("5."), 5.0);
  EXPECT_EQ(read_number("\u0661\u0662.\u0663"), 12.3);
  EXPECT_EQ(read_number("12 %"), .12);
  EXPECT_EQ(read_number("Infinity"), INFINITY);
  EXPECT_EQ(read_number("-inf"), -INFINITY);
  EXPECT_EQ(read_number("1e999"), INFINITY);
  EXPECT_TRUE(std::isnan(read_number("nan").value()));
  for (const char* none :
       {"", "%", "1__0", "_1", "1_", "1e", "0x10", "+-1", "1 2", "nan(1)", "one", "\u00b2", "\u5341"})
    EXPECT_FALSE(read_number(none)) << none;
}

TEST(Answers, TallyQaAsBigVision) {
  Totals totals;
  for (const Json& line : golden_lines("metrics/tallyqa.jsonl")) {
    const double right = count_match(line["prediction"].get<std::string>(), line["answer"].get<std::string>());
    EXPECT_EQ(right, line["correct"].get<double>()) << line;
    totals.add("acc", right);
    if (line["issimple"] == 1) totals.add("acc/simple", right);
    if (line["issimple"] == 0) totals.add("acc/complex", right);
    totals.add("acc/count_" + count_text(line["answer"].get<std::string>()), right);
  }
  const Json all = expected("tallyqa");
  for (const auto& [name, value] : all.items())
    if (name.starts_with("acc")) {
      EXPECT_NEAR(totals.mean(name), value.get<double>(), kMetricTolerance) << name;
    }
  EXPECT_EQ(read_count(" Twelve "), 12.0);
  EXPECT_EQ(read_count("3"), 3.0);
  EXPECT_FALSE(read_count("many"));
  EXPECT_FALSE(read_count("inf"));
}

TEST(Answers, PopeAsBigVision) {
  Totals totals;
  for (const Json& line : golden_lines("metrics/pope.jsonl")) {
    const auto given = read_yes_no(line["prediction"].get<std::string>());
    totals.add("acc", given && *given == (line["answer"] == "yes"));
    totals.add("valid_percent", given.has_value());
  }
  for (const auto& [name, sum] : totals.sums())
    EXPECT_NEAR(totals.mean(name), expected("pope")[name].get<double>(), kMetricTolerance) << name;
}

TEST(Answers, ScienceQaAsBigVision) {
  Totals totals;
  for (const Json& line : golden_lines("metrics/science_qa.jsonl")) {
    const std::string given = choice_text(line["prediction"].get<std::string>());
    totals.add("acc", given == choice_text(line["answer"].get<std::string>()));
    totals.add("parsefail", given == "failed");
  }
  for (const auto& [name, sum] : totals.sums())
    EXPECT_NEAR(totals.mean(name), expected("science_qa")[name].get<double>(), kMetricTolerance) << name;
}

TEST(TextDistance, AsJiwer) {
  ErrorRate characters, words;
  double exact = 0;
  const std::vector<Json> lines = golden_lines("metrics/text_distance.jsonl");
  for (const Json& line : lines) {
    const std::string reference = line["reference"], prediction = line["prediction"];
    const ErrorRate of_characters = character_errors(reference, prediction),
                    of_words = word_errors(reference, prediction);
    EXPECT_NEAR(of_characters.value(), line["cer"].get<double>(), kMetricTolerance) << line;
    EXPECT_NEAR(of_words.value(), line["wer"].get<double>(), kMetricTolerance) << line;
    characters += of_characters;
    words += of_words;
    exact += exact_match(prediction, std::vector{reference});
  }
  const Json all = golden_json("metrics/text_distance_expected.json");
  EXPECT_NEAR(characters.value(), all["cer"].get<double>(), kMetricTolerance);
  EXPECT_NEAR(words.value(), all["wer"].get<double>(), kMetricTolerance);
  EXPECT_EQ(words.edits, all["words"]["substitutions"].get<std::size_t>() +
                             all["words"]["insertions"].get<std::size_t>() +
                             all["words"]["deletions"].get<std::size_t>());
  EXPECT_NEAR(exact / static_cast<double>(lines.size()), all["exact"].get<double>(), kMetricTolerance);
}

TEST(TextDistance, OfNothing) {
  EXPECT_EQ(character_errors("", "ab").value(), 2);
  EXPECT_EQ(character_errors("", " ").value(), 0);
  EXPECT_EQ(word_errors("a b", "").value(), 1);
}

}  // namespace
}  // namespace paligemma::test
