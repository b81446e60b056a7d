#include "eval/predictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/errors.h"

namespace paligemma::test {
namespace {

using ::testing::ElementsAre;

std::vector<Prediction> read(std::string_view text) { return read_predictions(text, "p.jsonl"); }

TEST(Predictions, TextObjectsAndMasks) {
  const auto predictions = read(R"({"id": "a", "prediction": "a cow", "confidence": 0.5, "model": "any"}

  {"id": 7, "objects": [{"label": "cow", "box": [1, 2, 3.5, 4], "score": 0.25}, {"mask": {"size": [3, 4], "counts": [4, 2, 6]}}]}
{"id": "b", "prediction": "", "objects": [{"box": [0, 0, 4, 3], "mask": {"size": [3, 4], "counts": "<"}}]})"
                                "\r\n");
  ASSERT_EQ(predictions.size(), 3u);
  EXPECT_EQ(predictions[0].id, "a");
  EXPECT_EQ(predictions[0].text, "a cow");
  EXPECT_EQ(predictions[0].confidence, .5);
  EXPECT_FALSE(predictions[0].objects);
  EXPECT_EQ(predictions[1].id, "7");
  EXPECT_EQ(predictions[1].line, 3);
  const auto& objects = *predictions[1].objects;
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0].label, "cow");
  EXPECT_EQ(objects[0].score, .25);
  EXPECT_THAT(objects[0].box, ElementsAre(1, 2, 3.5, 4));
  EXPECT_THAT(objects[1].box, ElementsAre(1, 1, 2, 3));  // around the two pixels
  EXPECT_EQ((*predictions[2].objects)[0].mask->counts, std::vector<std::uint32_t>{12});
  EXPECT_THAT((*predictions[2].objects)[0].box, ElementsAre(0, 0, 4, 3));
}

TEST(Predictions, BadLines) {
  const auto refuse = [](std::string_view line, std::string_view part) {
    expect_error(ErrorKind::usage, "predictions", part, [&] { read(line); });
    expect_error(ErrorKind::usage, "predictions", "p.jsonl", [&] { read(line); });
  };
  refuse("", "expected one a line, got none");
  refuse("[]", "line 1: expected an object");
  refuse(R"({"prediction": "a"})", "id: expected text or a whole number, got none");
  refuse(R"({"id": 1.5, "prediction": "a"})", "id: expected text");
  refuse(R"({"id": "a"})", "prediction: expected text, or objects");
  refuse(R"({"id": "a", "prediction": 3})", "prediction: expected text");
  refuse(R"({"id": "a", "prediction": "b", "confidence": 2})", "confidence: expected a number from 0 to 1");
  refuse("{\"id\": \"a\", \"prediction\": \"\"}\n{\"id\": \"a\", \"prediction\": \"\"}",
         "line 2: expected an id of its own");
  const auto refuse_object = [&](const std::string& object, std::string_view part) {
    refuse(R"({"id": "a", "objects": [{"box": [0, 0, 1, 1]}, )" + object + "]}", part);
  };
  refuse(R"({"id": "a", "objects": {}})", "objects: expected a list");
  refuse_object("3", "objects[1]: expected an object");
  refuse_object(R"({"label": "cow"})", "objects[1].box: expected [x1, y1, x2, y2], got none");
  refuse_object(R"({"box": [0, 0, 1]})", "objects[1].box");
  refuse_object(R"({"box": [0, 0, 1, "1"]})", "objects[1].box");
  refuse_object(R"({"box": [0, 0, -1, 1]})", "x1 <= x2");
  refuse_object(R"({"box": [0, 0, 1e300, 1]})", "objects[1].box");
  refuse_object(R"({"box": [0, 0, 1, 1], "label": 3})", "objects[1].label: expected text");
  refuse_object(R"({"box": [0, 0, 1, 1], "score": "high"})", "objects[1].score");
  refuse_object(R"({"mask": [[1, 2, 3]]})", "objects[1].mask: expected an object");
  refuse_object(R"({"mask": {"size": [3], "counts": "<"}})", "objects[1].mask.size");
  refuse_object(R"({"mask": {"size": [3, 0], "counts": "<"}})", "objects[1].mask.size");
  refuse_object(R"({"mask": {"size": [3, 4]}})", "objects[1].mask.counts: expected run lengths");
  refuse_object(R"({"mask": {"size": [3, 4], "counts": "o"}})", "objects[1].mask.counts: expected COCO's run lengths");
  refuse_object(R"({"mask": {"size": [3, 4], "counts": [11]}})",
                "objects[1].mask.counts: expected runs of 4 x 3 pixels");
  refuse_object(R"({"mask": {"size": [3, 4], "counts": [-1, 13]}})", "objects[1].mask.counts");
  expect_error(ErrorKind::usage, "json", "p.jsonl line 2", [] { read("{\"id\": \"a\", \"prediction\": \"\"}\nno"); });
}

std::vector<Record> two_records() {
  return {{.id = "a", .task = RecordTask::answer, .prediction = "old", .answers = {"cow"}},
          {.id = "b", .task = RecordTask::detect, .width = 1023, .height = 1023}};
}

TEST(Predictions, AreTakenById) {
  std::vector<Record> records = two_records();
  const MatchedPredictions matched = take_predictions(records, read(R"({"id": "c", "prediction": "x"}
{"id": "b", "prediction": "<loc0010><loc0020><loc0500><loc0600> cow ; <loc0000><loc0000><loc0100><loc0100> dog"})"));
  EXPECT_THAT(matched.unanswered, ElementsAre(0));
  EXPECT_THAT(matched.unknown, ElementsAre("c"));
  EXPECT_EQ(records[0].prediction, "");
  ASSERT_EQ(records[1].objects.found.size(), 2u);
  EXPECT_EQ(records[1].objects.found[0].label, "cow");
  EXPECT_THAT(records[1].objects.found[0].box, ElementsAre(20, 10, 600, 500));
}

TEST(Predictions, ObjectsBesideTextAreTheObjects) {
  std::vector<Record> records = two_records();
  take_predictions(records,
                   read(R"({"id": "b", "prediction": "<loc0010><loc0020><loc0500><loc0600> cow", "objects": []})"));
  EXPECT_TRUE(records[1].objects.found.empty());
  EXPECT_EQ(records[1].prediction, "<loc0010><loc0020><loc0500><loc0600> cow");
}

TEST(Predictions, MasksOfCodesInText) {
  std::string text = "<loc0000><loc0000><loc0512><loc0512>";
  for (int i = 0; i < 16; ++i) text += "<seg001>";
  const Frame frame{.width = 10, .height = 8};
  EXPECT_FALSE(objects_of(text, frame)[0].mask);
  const auto objects = objects_of(text, frame, [](const Object& object, const Frame&) -> std::optional<Mask> {
    EXPECT_EQ((*object.seg)[0], 1);
    return Mask{.x = 1, .y = 2, .width = 1, .height = 2, .inside = {1, 1}};
  });
  EXPECT_THAT(objects[0].mask->counts, ElementsAre(10, 2, 68));
}

TEST(Predictions, HaveToFitTheirPicture) {
  std::vector<Record> records = two_records();
  expect_error(ErrorKind::usage, "predictions", "b: expected masks of 1023 x 1023 pixels, got 4 x 3", [&] {
    take_predictions(records, read(R"({"id": "b", "objects": [{"mask": {"size": [3, 4], "counts": "<"}}]})"));
  });
  records[1].width = 0;
  expect_error(ErrorKind::usage, "predictions", "expected the size of the picture", [&] {
    take_predictions(records, read(R"({"id": "b", "prediction": "<loc0010><loc0020><loc0500><loc0600> cow"})"));
  });
}

TEST(Predictions, WrittenAndReadAgain) {
  std::vector<Record> records = two_records();
  records[0].prediction = "a \"cow\"\n\xff";
  records[0].confidence = .1;
  records[1].objects.found = {
      {.label = "cow", .box = {.1, .2, 1e3, 7.25}, .score = 1.0 / 3},
      {.box = {0, 0, 1, 1}, .mask = RunLengths{.width = 1023, .height = 1023, .counts = {0, 1, 1046528}}}};
  const std::string file = prediction_line(records[0]) + "\n" + prediction_line(records[1]) + "\n";
  std::vector<Record> read_again = two_records();
  const MatchedPredictions matched = take_predictions(read_again, read(file));
  EXPECT_TRUE(matched.unanswered.empty() && matched.unknown.empty());
  EXPECT_EQ(read_again[0].prediction, "a \"cow\"\n\xef\xbf\xbd");  // JSON has valid text only
  EXPECT_EQ(read_again[0].confidence, .1);
  const auto &before = records[1].objects.found, &after = read_again[1].objects.found;
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0].box, before[0].box);
  EXPECT_EQ(after[0].score, before[0].score);
  EXPECT_EQ(after[1].mask->counts, before[1].mask->counts);
}

}  // namespace
}  // namespace paligemma::test
