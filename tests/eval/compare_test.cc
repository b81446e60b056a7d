// Comparing models, against what each of them says when it is asked alone.
#include "eval/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/metrics.h"
#include "pipeline.h"
#include "support/errors.h"
#include "support/golden.h"

namespace paligemma {
namespace {

const ComparedModel kOriginal{}, kSmall{.options = {.weights = WeightType::q4}};
// Random weights are sure of nothing, so that 4 bits change what the model says.
const ComparedModel kRandom{.path = test::golden("models/pg2")},
    kSmallRandom{.path = kRandom.path, .options = {.weights = WeightType::q4}};

Request question(Task task, const std::string& picture, std::vector<std::string> labels = {}) {
  Request request{.task = task, .labels = std::move(labels)};
  request.pictures.push_back({picture, read_picture(std::filesystem::path(POCKET_DIR) / "pictures" / picture)});
  return request;
}

CompareQuestions questions(std::vector<std::vector<Request>> batches) {
  const std::size_t count = batches.size();
  return {.batches = count, .read = [batches = std::move(batches)](std::size_t batch) { return batches[batch]; }};
}

std::vector<std::vector<Request>> every_task() {
  return {{question(Task::caption, "beach.png"), question(Task::detect, "beach.png", {"cow", "lion"})},
          {question(Task::segment, "forest.png", {"frog"}), question(Task::ocr, "forest.png")}};
}

TEST(Compare, AModelIsItself) {
  const CompareReport report = compare_models(kOriginal, kOriginal, questions(every_task()));
  const CompareScores all = report.total();
  EXPECT_EQ(report.a.name, "pocket");
  EXPECT_EQ(all.answers, 4);
  EXPECT_EQ(all.equal_answers, 4);
  EXPECT_GT(all.tokens, 40);
  EXPECT_EQ(all.equal_tokens, all.tokens);
  EXPECT_EQ(all.kl, 0);
  EXPECT_EQ(all.largest_kl, 0);
  EXPECT_EQ(all.boxes, 3);
  EXPECT_EQ(all.box_iou, 3);
  EXPECT_EQ(all.extra_boxes, 0);
  EXPECT_EQ(all.masks, 1);
  EXPECT_EQ(all.mask_iou, 1);
}

// One beginning of the answer at a time, with nothing shared between them.
TEST(Compare, CountsTokensAsAskedOneByOne) {
  Model a = Model::embedded(), b = Model::embedded(kSmall.options);
  std::vector<std::vector<Request>> batches = every_task();
  // Of what it has never seen the model is not sure, so that a little changes much.
  batches.push_back(
      {question(Task::caption, "../photograph.png"), question(Task::detect, "../photograph.png", {"cat", "dog"})});
  const CompareReport report = compare_models(kOriginal, kSmall, questions(batches));
  std::size_t place = 0;
  std::int64_t unequal = 0;
  for (const std::vector<Request>& batch : batches) {
    for (Request request : batch) {
      const ComparedAnswer& compared = report.answers.at(place++);
      SCOPED_TRACE(compared.prompt);
      request.logprobs = true;
      const Result own = b.answer(request), reference = a.answer(request);
      EXPECT_EQ(compared.a, reference.text);
      EXPECT_EQ(compared.b, own.text);
      std::int64_t equal = 0;
      request.max_tokens = 1;
      for (const Token& token : reference.tokens) {
        equal += b.answer(request).tokens.back().id == token.id;
        request.suffix += token.text;
      }
      EXPECT_EQ(compared.scores.tokens, static_cast<std::int64_t>(reference.tokens.size()));
      EXPECT_EQ(compared.scores.equal_tokens, equal);
      EXPECT_EQ(compared.scores.equal_answers, reference.text == own.text);
      unequal += compared.scores.tokens - equal;
      EXPECT_EQ(compared.scores.boxes, static_cast<std::int64_t>(reference.objects.size()));
      double iou = 0;
      for (std::size_t i = 0; i < reference.objects.size() && i < own.objects.size(); ++i)
        if (reference.objects[i].label == own.objects[i].label)
          iou += box_iou(reference.objects[i].box, own.objects[i].box);
      EXPECT_DOUBLE_EQ(compared.scores.box_iou, iou);
    }
  }
  EXPECT_GT(unequal, 0);  // else nothing was tried
}

TEST(Compare, DivergesAsTheLogitsDo) {
  Request request = question(Task::caption, "city.png");
  request.logprobs = true;
  const CompareReport report = compare_models(kOriginal, kSmall, questions({{request}}));

  std::vector<std::vector<float>> rows[2];
  std::vector<std::int32_t> ids;
  const ComparedModel* models[] = {&kOriginal, &kSmall};
  for (int side = 0; side < 2; ++side) {
    const auto pipeline = open_pipeline(models[side]->path, models[side]->options);
    const auto vocabulary = pipeline->tokenizer->real_size();
    const Probe probe{.answer = ids, .see_logits = [&](std::span<const float> row) {
                        rows[side].emplace_back(row.begin(), row.begin() + vocabulary);
                      }};
    const Result result = answer(*pipeline, std::span(&request, 1), std::span(&probe, 1), {}).front();
    for (const Token& token : result.tokens) ids.push_back(token.id);
  }
  const std::size_t tokens = rows[0].size();
  ASSERT_EQ(report.answers[0].scores.tokens, static_cast<std::int64_t>(tokens));
  double kl = 0, largest = 0;
  for (std::size_t i = 0; i < tokens; ++i) {
    const double one = kl_divergence(rows[0][i], rows[1][i]);
    kl += one;
    largest = std::max(largest, one);
  }
  EXPECT_GT(kl, 0);
  EXPECT_DOUBLE_EQ(report.answers[0].scores.kl, kl);
  EXPECT_DOUBLE_EQ(report.answers[0].scores.largest_kl, largest);
}

TEST(Compare, CutAnswersAreComparedAsFarAsTheyGo) {
  std::vector<Request> batch = {question(Task::detect, "snow.png", {"frog", "penguin"})};
  batch[0].max_tokens = 3;
  const CompareReport report = compare_models(kRandom, kSmallRandom, questions({batch}));
  EXPECT_EQ(report.answers[0].scores.tokens, 3);
  Model b = Model::open(kSmallRandom.path, kSmallRandom.options);
  EXPECT_EQ(report.answers[0].b, b.answer(batch[0]).text);
  EXPECT_NE(report.answers[0].b, report.answers[0].a);
}

TEST(Compare, LeavesOutWhatCannotBeRead) {
  const std::vector<std::vector<Request>> batches = every_task();
  const CompareReport whole = compare_models(kOriginal, kSmall, questions(batches));
  int reads = 0;
  const CompareQuestions broken{.batches = 3, .read = [&](std::size_t batch) {
                                  ++reads;
                                  if (batch == 1) throw Error(ErrorKind::input, "image_decode", "broken");
                                  return batches[batch / 2];
                                }};
  const CompareReport rest = compare_models(kOriginal, kSmall, broken);
  EXPECT_EQ(reads, 5);
  ASSERT_EQ(rest.failures.size(), 1u);
  EXPECT_EQ(rest.failures[0].code(), "image_decode");
  ASSERT_EQ(rest.answers.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(rest.answers[i].b, whole.answers[i].b);
    EXPECT_EQ(rest.answers[i].scores.kl, whole.answers[i].scores.kl);
  }
}

TEST(Compare, ModelsMustHaveTheSameTokens) {
  const ComparedModel other{.path = test::golden("models/pg2")};
  int reads = 0;
  const CompareQuestions none{.batches = 1, .read = [&](std::size_t) {
                                ++reads;
                                return std::vector<Request>();
                              }};
  expect_error(ErrorKind::usage, "compare", "different tokens", [&] { compare_models(kOriginal, other, none); });
  EXPECT_EQ(reads, 0);
}

TEST(Compare, AnswersMustBeGreedyAndFree) {
  const auto refused = [](Request request, const std::string& part) {
    expect_error(ErrorKind::usage, "compare", part, [&] { check_comparable(request); });
  };
  refused({.suffix = "a"}, "suffix");
  refused({.max_tokens = 0}, "limit");
  refused({.sampling = {.temperature = 1}}, "temperature");
  refused({.sampling = {.repetition_penalty = 2}}, "temperature, repetition penalty or beams");
  refused({.beams = {.count = 2}}, "beams");
  EXPECT_NO_THROW(check_comparable({}));
}

TEST(Compare, StopsWhenAsked) {
  int times = 0;
  const auto count = [&] {
    ++times;
    return false;
  };
  compare_models(kOriginal, kSmall, questions(every_task()), {}, count);
  ASSERT_GT(times, 20);
  for (const int moment : {0, 1, times / 2, times - 1}) {
    int asked = 0;
    expect_error(ErrorKind::failure, "interrupted", "", [&] {
      compare_models(kOriginal, kSmall, questions(every_task()), {}, [&] { return asked++ >= moment; });
    });
  }
}

TEST(Compare, TellsProgress) {
  std::vector<std::pair<std::size_t, std::size_t>> told;
  compare_models(kOriginal, kOriginal, questions(every_task()),
                 [&](std::size_t done, std::size_t total) { told.emplace_back(done, total); });
  using Pair = std::pair<std::size_t, std::size_t>;
  EXPECT_THAT(told, ::testing::ElementsAre(Pair{0, 4}, Pair{1, 4}, Pair{2, 4}, Pair{3, 4}));
}

}  // namespace
}  // namespace paligemma
