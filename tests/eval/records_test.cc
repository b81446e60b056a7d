#include "eval/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/errors.h"

namespace paligemma::test {
namespace {

Record detection(std::vector<MarkedObject> truth, std::vector<MarkedObject> found) {
  return {.id = "1", .task = RecordTask::detect, .objects = {std::move(truth), std::move(found)}};
}

double value_of(const MetricValues& values, const std::string& name) {
  for (const auto& [known, value] : values)
    if (known == name) return value;
  ADD_FAILURE() << "no " << name;
  return -1;
}

TEST(Records, OfObjectsHaveTheMetricsOfDetection) {
  const MarkedObject cow{.label = "cow", .box = {0, 0, 10, 10}}, dog{.label = "dog", .box = {20, 0, 30, 10}};
  MarkedObject found = cow;
  found.score = 0.9;
  const std::vector<Record> records = {detection({cow}, {found}), detection({dog}, {})};
  const MetricValues values = evaluate(records);
  EXPECT_DOUBLE_EQ(value_of(values, "AP50"), 0.5);  // one class of two
  EXPECT_DOUBLE_EQ(value_of(values, "precision"), 1);
  EXPECT_DOUBLE_EQ(value_of(values, "recall"), 0.5);
  EXPECT_DOUBLE_EQ(value_of(values, "count_error"), 0.5);
  EXPECT_NEAR(value_of(values, "ECE"), 0.1, 1e-9);
  EXPECT_DOUBLE_EQ(quality(records[0]), 1);
  EXPECT_DOUBLE_EQ(quality(records[1]), 0);
}

TEST(Records, OfTextHaveThoseOfAnswers) {
  const std::vector<Record> records = {
      {.id = "1", .task = RecordTask::answer, .prediction = "two", .answers = {"two", "2", "two"}},
      {.id = "2", .task = RecordTask::answer, .prediction = "red", .answers = {"blue", "blue", "green"}}};
  const MetricValues values = evaluate(records, std::vector<std::string>{"exact", "vqa"});
  ASSERT_EQ(values.size(), 2u);
  EXPECT_DOUBLE_EQ(value_of(values, "exact"), 0.5);
  EXPECT_GT(quality(records[0]), quality(records[1]));
}

TEST(Records, EveryDefaultMetricIsKnown) {
  for (const RecordTask task : {RecordTask::text, RecordTask::caption, RecordTask::answer, RecordTask::detect,
                                RecordTask::segment, RecordTask::refer})
    for (const std::string& name : metrics_of(task)) EXPECT_EQ(std::string(find_metric(name).name), name);
}

TEST(Predictions, AreReadAsTheyAreWritten) {
  Prediction prediction{.id = "a\"b", .text = "<loc0001>"};
  prediction.objects = {{.label = "cow",
                         .box = {1, 2, 3, 4.5},
                         .score = 0.25,
                         .mask = RunLengths{.width = 2, .height = 3, .counts = {1, 2, 3}}},
                        {.label = "dog", .box = {0, 0, 1, 1}}};
  const std::string line = prediction_line(prediction);
  const std::vector<Prediction> read = read_predictions(line + "\n{\"id\":7,\"prediction\":\"x\"}", "p.jsonl");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(prediction_line(read[0]), line);
  EXPECT_EQ(read[1].id, "7");
}

TEST(Predictions, ThatAreNoneAreRefusedWithTheirLine) {
  const auto message = [](const std::string& text) {
    try {
      read_predictions(text, "p.jsonl");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message("\n[]"), testing::HasSubstr("p.jsonl: line 2"));
  EXPECT_THAT(message("{\"prediction\":\"x\"}"), testing::HasSubstr("id: expected text or a whole number"));
  EXPECT_THAT(message("{\"id\":\"1\"}\n{\"id\":\"1\"}"), testing::HasSubstr("line 2: id: expected each id once"));
  EXPECT_THAT(message("{\"id\":1,\"objects\":[{\"box\":[1,2,3]}]}"), testing::HasSubstr("a box of four numbers"));
  EXPECT_THAT(message("{\"id\":1,\"objects\":[{\"box\":[1,2,3,4],\"mask\":{\"size\":[2,2],\"counts\":\"2\"}}]}"),
              testing::HasSubstr("mask: expected as many pixels"));
  EXPECT_THAT(message("{\"id\":"), testing::HasSubstr("line 1"));
}

}  // namespace
}  // namespace paligemma::test
