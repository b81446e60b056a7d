// Metrics by name: totals of big_vision's evaluators (golden/metrics), by hand where there is no reference.
#include "eval/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "detect/mask.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;

std::vector<Record> golden_records(const std::string& name, const char* type) {
  std::vector<Record> records;
  for (const Json& line : golden_lines("metrics/" + name + ".jsonl")) {
    Record& record = records.emplace_back(Record{.id = std::to_string(records.size()), .task = RecordTask::answer});
    record.prediction = line["prediction"];
    if (line.contains("answers")) {
      record.answers = line["answers"];
    } else {
      record.answers = {line[line.contains("answer") ? "answer" : "reference"]};
    }
    if (line.contains(type))
      record.answer_type = line[type].is_string() ? line[type].get<std::string>() : dump_json(line[type]);
  }
  return records;
}

std::vector<MetricValue> evaluate_one(std::span<const Record> records, const std::string& name) {
  return evaluate(records, std::vector{name});
}

const MetricPart& part_of(const MetricValue& value, std::string_view name) {
  for (const MetricPart& part : value.parts)
    if (part.name == name) return part;
  ADD_FAILURE() << "no part " << name;
  return value.parts.front();
}

void expect_value(std::span<const MetricValue> values, std::string_view name, const Json& expected) {
  EXPECT_NEAR(value_of(values, name).value, expected.get<double>(), kMetricTolerance) << name;
}

void expect_part(const MetricValue& value, std::string_view name, const Json& expected) {
  EXPECT_NEAR(part_of(value, name).value, expected.get<double>(), kMetricTolerance) << name;
}

TEST(Evaluate, AnswersByTypeAsBigVision) {
  const Json expected = golden_json("metrics/qa_expected.json");
  const auto vqa = evaluate_one(golden_records("vqav2", "answer_type"), "vqa");
  expect_value(vqa, "vqa", expected["vqav2"]["acc"]);
  expect_part(vqa[0], "yes/no", expected["vqav2"]["acc/yesno"]);
  expect_part(vqa[0], "number", expected["vqav2"]["acc/number"]);
  EXPECT_EQ(part_of(vqa[0], "number").count, expected["vqav2"]["num/number"].get<std::size_t>());

  const auto tally = evaluate_one(golden_records("tallyqa", "issimple"), "tally");
  expect_value(tally, "tally", expected["tallyqa"]["acc"]);
  expect_part(tally[0], "1", expected["tallyqa"]["acc/simple"]);
  expect_part(tally[0], "0", expected["tallyqa"]["acc/complex"]);
  expect_part(tally[0], "count_15", expected["tallyqa"]["acc/count_15"]);

  const std::vector<Record> remote = golden_records("rsvqa", "question_type");
  const auto rsvqa = evaluate(remote, std::vector<std::string>{"rsvqa", "vqa_simple", "anls_cased"});
  expect_value(rsvqa, "rsvqa", expected["rsvqa"]["acc_any"]);
  expect_value(rsvqa, "rsvqa/average", expected["rsvqa"]["acc_avg"]);
  expect_value(rsvqa, "rsvqa/average_without_numbers", expected["rsvqa"]["acc_avg_nonum"]);
  expect_value(rsvqa, "vqa_simple", expected["rsvqa"]["acc"]);
  expect_value(rsvqa, "anls_cased", expected["rsvqa"]["anls"]);
  for (const char* type : {"comp", "count", "presence", "rural_urban", "area"})
    expect_part(rsvqa[0], type, expected["rsvqa"][std::string("acc_") + type]);
}

TEST(Evaluate, OtherAnswersAsTheReferences) {
  const Json expected = golden_json("metrics/qa_expected.json");
  expect_value(evaluate_one(golden_records("chartqa", ""), "relaxed"), "relaxed", expected["chartqa"]["relaxed_acc"]);
  expect_value(evaluate_one(golden_records("chartqa", ""), "exact"), "exact", expected["chartqa"]["acc"]);
  expect_value(evaluate_one(golden_records("anls", ""), "anls"), "anls", expected["anls/to_lower=True"]["anls"]);
  expect_value(evaluate_one(golden_records("science_qa", ""), "science"), "science", expected["science_qa"]["acc"]);
  const auto pope = evaluate_one(golden_records("pope", ""), "pope");
  expect_value(pope, "pope", expected["pope"]["acc"]);
  expect_value(pope, "pope/valid", expected["pope"]["valid_percent"]);
  const Json distances = golden_json("metrics/text_distance_expected.json");
  expect_value(evaluate_one(golden_records("text_distance", ""), "cer"), "cer", distances["cer"]);
  expect_value(evaluate_one(golden_records("text_distance", ""), "wer"), "wer", distances["wer"]);
}

TEST(Evaluate, CaptionsAsCocoCaption) {
  std::vector<Record> records;
  for (const Json& line : golden_lines("metrics/captions.jsonl"))
    records.push_back({.task = RecordTask::caption, .prediction = line["prediction"], .answers = line["references"]});
  const Json expected = golden_json("metrics/captions_expected.json")["all_200"];
  const auto values = evaluate(records, default_metrics(records));
  EXPECT_EQ(values.front().name, "cider");
  expect_value(values, "cider", expected["cider"]);
  expect_value(values, "rouge_l", expected["rouge_l"]);
  expect_value(values, "bleu", expected["bleu"][3]);
  expect_value(values, "bleu/2", expected["bleu"][1]);
  for (std::size_t i = 0; i < records.size(); ++i)
    EXPECT_NEAR(values[0].of_records[i], expected["cider_each"][i].get<double>(), kMetricTolerance);
}

Record answer_record(std::string prediction, std::vector<std::string> answers) {
  return {.task = RecordTask::answer, .prediction = std::move(prediction), .answers = std::move(answers)};
}

TEST(Evaluate, YesAndNoByHand) {
  const std::vector<Record> records = {answer_record("Yes", {"yes"}), answer_record("yes", {"no"}),
                                       answer_record("no", {"yes"}), answer_record("perhaps", {"no"})};
  const auto values = evaluate_one(records, "pope/f1");
  EXPECT_EQ(value_of(values, "pope").value, .25);
  EXPECT_EQ(value_of(values, "pope/precision").value, .5);
  EXPECT_EQ(value_of(values, "pope/recall").value, .5);
  EXPECT_EQ(value_of(values, "pope/f1").value, .5);
}

TEST(Evaluate, CountsByHand) {
  const std::vector<Record> records = {answer_record("three", {"3"}), answer_record("12", {"10"}),
                                       answer_record("many", {"4"})};
  const auto values = evaluate_one(records, "count_mae");
  EXPECT_EQ(values[0].value, 2);
  EXPECT_THAT(values[0].of_records, ElementsAre(0, 2, 4));
  EXPECT_FALSE(values[0].higher_is_better);
  EXPECT_THAT(worst_records(values[0], 2), ElementsAre(2, 1));
}

TEST(Evaluate, LossByHand) {
  std::vector<Record> records = {answer_record("a", {"a"}), answer_record("b", {"b"}), answer_record("c", {"c"})};
  records[0].answer_tokens = {{.logprob = -1, .best = true}, {.logprob = -2}};
  records[2].answer_tokens = {{.logprob = -3, .best = true}};
  const auto values = evaluate_one(records, "loss");
  EXPECT_DOUBLE_EQ(values[0].value, (1.5 + 3) / 2);
  EXPECT_DOUBLE_EQ(value_of(values, "loss/sum").value, 3);
  EXPECT_DOUBLE_EQ(value_of(values, "loss/perplexity").value, std::exp(2));
  EXPECT_DOUBLE_EQ(value_of(values, "loss/token_accuracy").value, 2.0 / 3);
  EXPECT_TRUE(std::isnan(values[0].of_records[1]));
  EXPECT_THAT(worst_records(values[0], 5), ElementsAre(2, 0));
  EXPECT_THAT(default_metrics(records), ElementsAre("exact", "loss"));
}

MarkedObject boxed(std::string label, std::array<double, 4> box, std::optional<double> score = {}) {
  return {.label = std::move(label), .box = box, .score = score};
}

Record picture_record(std::vector<MarkedObject> truth, std::vector<MarkedObject> found) {
  return {.task = RecordTask::detect, .objects = {.truth = std::move(truth), .found = std::move(found)}};
}

TEST(Evaluate, ObjectsByHand) {
  const std::vector<Record> records = {
      picture_record({boxed("cow", {0, 0, 10, 10})}, {boxed("cow", {0, 0, 10, 10}, .9)}),
      picture_record({boxed("dog", {0, 0, 10, 10})}, {boxed("cow", {0, 0, 10, 10}, .8)}), picture_record({}, {})};
  EXPECT_THAT(default_metrics(records), ElementsAre("box_ap", "box_f1", "count_error", "calibration"));
  const auto values = evaluate(records, default_metrics(records));
  EXPECT_NEAR(values[0].value, .5, 1e-12);  // one of two classes
  EXPECT_NEAR(part_of(values[0], "cow").value, 1, 1e-12);
  EXPECT_EQ(part_of(values[0], "dog").value, 0);
  EXPECT_EQ(part_of(values[0], "dog").count, 1u);
  EXPECT_EQ(value_of(values, "box_f1/precision").value, .5);
  EXPECT_EQ(value_of(values, "box_f1").value, .5);
  EXPECT_THAT(value_of(values, "box_f1").of_records, ElementsAre(1, 0, 1));
  EXPECT_DOUBLE_EQ(value_of(values, "count_error").value, 2.0 / 3);
  EXPECT_NEAR(value_of(values, "calibration").value, (.1 + .8) / 2, 1e-12);
}

TEST(Evaluate, SpottedTextCountsLetterByLetter) {
  const std::vector<Record> records = {picture_record(
      {boxed("EXIT", {0, 0, 10, 10}), boxed("###", {20, 0, 30, 10}), boxed("Stop", {40, 0, 50, 10})},
      {boxed("EXIT", {0, 0, 10, 10}), boxed("blurred", {20, 0, 30, 10}), boxed("stop", {40, 0, 50, 10})})};
  const auto values = evaluate_one(records, "spotting");
  EXPECT_EQ(values[0].value, .5);
  EXPECT_EQ(value_of(values, "spotting/precision").value, .5);
  EXPECT_EQ(value_of(values, "spotting/recall").value, .5);
}

// SQuAD's: articles and marks do not count, a word is shared as often as both say it.
TEST(Evaluate, WordsByHand) {
  const std::vector<Record> records = {answer_record("A cow, and the two cars.", {"two cars and a cow"}),
                                       answer_record("cow cow", {"cow", "dog"}), answer_record("", {""}),
                                       answer_record("cow", {""})};
  const auto values = evaluate_one(records, "word_f1");
  EXPECT_THAT(values[0].of_records, ElementsAre(1, 2.0 / 3, 1, 0));
}

TEST(Evaluate, MasksByHand) {
  // Rows of a picture of 4 x 4: two of which are shared by three, and one that nothing was found for.
  const auto masked = [](const char* label, int first, int rows) {
    Mask mask{.y = first, .width = 4, .height = rows};
    mask.inside.assign(static_cast<std::size_t>(4 * rows), 1);
    return MarkedObject{
        .label = label, .box = {0, double(first), 4, double(first + rows)}, .mask = run_lengths(mask, 4, 4)};
  };
  const std::vector<Record> records = {
      picture_record({masked("cow", 0, 2), masked("cow", 3, 1)}, {masked("cow", 0, 3), masked("dog", 3, 1)}),
      picture_record({}, {})};
  const auto values = evaluate_one(records, "mask_iou");
  EXPECT_NEAR(values[0].value, (2.0 / 3 + 0) / 2, 1e-12);
  EXPECT_NEAR(values[0].of_records[0], 1.0 / 3, 1e-12);
  EXPECT_TRUE(std::isnan(values[0].of_records[1]));
}

TEST(Evaluate, WhatIsNotThereByHand) {
  const std::vector<Record> records = {picture_record({}, {}), picture_record({}, {boxed("cow", {0, 0, 10, 10})}),
                                       picture_record({boxed("cow", {0, 0, 10, 10})}, {})};
  EXPECT_EQ(evaluate_one(records, "absent")[0].value, .5);
}

TEST(Evaluate, GroupsAreParts) {
  std::vector<Record> records = {answer_record("a", {"a"}), answer_record("b", {"a"}), picture_record({}, {})};
  records[0].group = "answer.en.count", records[1].group = "answer.ko", records[2].group = "detect.absent";
  const std::vector<RecordGroup> groups = group_metrics(records);
  std::vector<std::string> names;
  for (const RecordGroup& group : groups) names.push_back(group.name);
  EXPECT_THAT(names, ElementsAre("answer", "answer.en", "answer.en.count", "answer.ko", "detect", "detect.absent"));
  EXPECT_EQ(groups[0].records, 2u);
  EXPECT_EQ(value_of(groups[0].values, "exact").value, .5);
  EXPECT_EQ(value_of(groups[1].values, "exact").value, 1);
  EXPECT_EQ(value_of(groups[5].values, "absent").value, 1);
}

TEST(Evaluate, DefaultsOfQuestions) {
  const std::vector<Record> many = {answer_record("a", {"a", "b", "c"})}, one = {answer_record("a", {"a"})};
  EXPECT_THAT(default_metrics(many), ElementsAre("vqa", "exact"));
  EXPECT_THAT(default_metrics(one), ElementsAre("exact"));
  EXPECT_TRUE(default_metrics({}).empty());
}

TEST(Evaluate, NamesAreChecked) {
  const std::vector<Record> records = {answer_record("a", {"a"})};
  expect_error(ErrorKind::usage, "metric", "expected one of exact, vqa,", [&] { evaluate_one(records, "blue"); });
  expect_error(ErrorKind::usage, "metric", "\"pope/f2\"", [&] { evaluate_one(records, "pope/f2"); });
  expect_error(ErrorKind::usage, "metric", "box_ap: expected examples with objects",
               [&] { evaluate_one(records, "box_ap"); });
  for (const Metric& metric : metrics()) EXPECT_EQ(&find_metric(metric.name), &metric);
}

// Every metric of the table says which way is better as its value does, under its own name.
TEST(Evaluate, TheTableIsTrue) {
  Record record = picture_record({boxed("cow", {0, 0, 9, 9})}, {boxed("cow", {0, 0, 9, 9}, .5)});
  record.prediction = "1", record.answers = {"1"}, record.confidence = .5, record.answer_tokens = {{.logprob = -1}};
  const std::vector<Record> records = {record, record};
  for (const Metric& metric : metrics()) {
    const auto values = evaluate_one(records, std::string(metric.name));
    EXPECT_EQ(values[0].name, metric.name);
    EXPECT_EQ(values[0].higher_is_better, metric.higher_is_better) << metric.name;
    for (const MetricValue& value : values) EXPECT_EQ(&find_metric(value.name), &metric) << value.name;
    if (metric.name != "calibration") {
      EXPECT_EQ(values[0].of_records.size(), 2u) << metric.name;
    }
  }
}

}  // namespace
}  // namespace paligemma::test
