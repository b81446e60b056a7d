#include "train/run_log.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/errors.h"
#include "support/scratch.h"

namespace paligemma::test {
namespace {

constexpr std::int64_t kAll = 1000000;

const std::string kStep1 = R"({"step":1,"loss":1.25,"grad_norm":0.5,"lr":2e-05,"examples_per_s":3.5,"skipped":false})"
                           "\n";
const std::string kStep2 = R"({"step":2,"loss":null,"grad_norm":null,"lr":4e-05,"examples_per_s":3.75,"skipped":true})"
                           "\n";
const std::string kEvaluation2 = R"({"step":2,"metrics":{"mAP50":0.5,"loss":null},"best":true})"
                                 "\n";
const std::string kStep3 = R"({"step":3,"loss":1.0,"grad_norm":0.25,"lr":6e-05,"examples_per_s":4.0,"skipped":false})"
                           "\n";

void fill(RunLog& log) {
  log.add(LoggedStep{.step = 1, .loss = 1.25, .grad_norm = 0.5, .lr = 2e-5, .examples_per_s = 3.5});
  log.add(
      LoggedStep{.step = 2, .loss = NAN, .grad_norm = INFINITY, .lr = 4e-5, .examples_per_s = 3.75, .skipped = true});
  log.add(LoggedEvaluation{.step = 2, .metrics = {{"mAP50", 0.5}, {"loss", NAN}}, .best = true});
  log.add(LoggedStep{.step = 3, .loss = 1, .grad_norm = 0.25, .lr = 6e-5, .examples_per_s = 4});
}

TEST(RunLog, IsALineAStepAndALineAnEvaluation) {
  const Scratch scratch;
  scratch.write("log.jsonl", "of an earlier run\n");
  RunLog log = RunLog::create(scratch.path("log.jsonl"));
  fill(log);
  EXPECT_EQ(scratch.read("log.jsonl"), kStep1 + kStep2 + kEvaluation2 + kStep3);
}

TEST(RunLog, IsReadAsItWasWritten) {
  const std::string text = kStep1 + kStep2 + kEvaluation2 + kStep3;
  const auto [history, bytes] = read_run_log(text, "log.jsonl", kAll);
  EXPECT_EQ(bytes, text.size());
  ASSERT_EQ(history.steps.size(), 3);
  ASSERT_EQ(history.evaluations.size(), 1);
  EXPECT_EQ(history.steps[0].loss, 1.25);
  EXPECT_EQ(history.steps[0].lr, 2e-5);
  EXPECT_TRUE(std::isnan(history.steps[1].loss));
  EXPECT_TRUE(history.steps[1].skipped);
  std::string again;
  for (const LoggedStep& step : history.steps) {
    again += log_line(step);
    for (const LoggedEvaluation& evaluation : history.evaluations)
      if (evaluation.step == step.step) again += log_line(evaluation);
  }
  EXPECT_EQ(again, text);
}

// A run that is killed at any moment leaves any beginning of the file.
TEST(RunLog, GoesOnAfterAnyCut) {
  const Scratch scratch;
  const std::string whole = kStep1 + kStep2 + kEvaluation2 + kStep3;
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    scratch.write("log.jsonl", whole.substr(0, cut));
    RunLog log = RunLog::resume(scratch.path("log.jsonl"), kAll);
    const std::size_t end = whole.substr(0, cut).rfind('\n');
    const std::string kept = whole.substr(0, end == whole.npos ? 0 : end + 1);
    EXPECT_EQ(scratch.read("log.jsonl"), kept) << cut;
    log.add(LoggedEvaluation{.step = 9});
    EXPECT_EQ(scratch.read("log.jsonl"), kept + "{\"step\":9,\"metrics\":{},\"best\":false}\n");
  }
}

TEST(RunLog, LosesTheLinesAfterTheResumedStep) {
  const Scratch scratch;
  const std::string path = scratch.path("log.jsonl"), whole = kStep1 + kStep2 + kEvaluation2 + kStep3;
  const std::vector<std::string> kept{"", kStep1, kStep1 + kStep2 + kEvaluation2, whole};
  for (std::size_t step = 0; step < kept.size(); ++step) {
    scratch.write("log.jsonl", whole);
    const RunLog log = RunLog::resume(path, static_cast<std::int64_t>(step));
    EXPECT_EQ(log.history().steps.size(), step);
    EXPECT_EQ(scratch.read("log.jsonl"), kept[step]);
  }
  RunLog fresh = RunLog::resume(scratch.path("none.jsonl"), 5);
  EXPECT_TRUE(fresh.history().steps.empty());
  fill(fresh);
  EXPECT_EQ(scratch.read("none.jsonl"), whole);
}

TEST(RunLog, RefusesWhatIsNoLine) {
  const auto expect = [](const std::string& text, std::string_view part) {
    expect_error(ErrorKind::model, "run_log", part, [&] { read_run_log(text, "log.jsonl", kAll); });
  };
  expect("\n", "log.jsonl:1");
  expect(kStep1 + "torn\n" + kStep2, "log.jsonl:2");
  expect(kStep1 + "[]\n", "expected an object, got []");
  expect("{\"loss\":1}\n", "step: expected a whole number");
  expect("{\"step\":-1}\n", "step: expected a whole number from 0");
  expect("{\"step\":1.5}\n", "got 1.5");
  expect("{\"step\":1,\"loss\":\"1\"}\n", "loss: expected a number");
  expect("{\"step\":1,\"skipped\":1}\n", "skipped: expected true or false, got 1");
  expect("{\"step\":1,\"metrics\":[]}\n", "metrics: expected an object");
  expect("{\"step\":1,\"metrics\":{\"a\":true}}\n", "metrics.a: expected a number");
  expect(kStep2 + kStep2, "log.jsonl:2: step: expected 3 or more, got 2");
  expect(kStep2 + kStep1, "step: expected 3 or more, got 1");
  expect(kStep3 + kEvaluation2, "step: expected 3 or more, got 2");
  expect("{\"step\":1e400}\n", "log.jsonl:1");
}

// What lies behind the resumed step is cut off whatever it is.
TEST(RunLog, DoesNotLookBehindTheResumedStep) {
  const auto [history, bytes] = read_run_log(kStep1 + kStep2 + "torn\n", "log.jsonl", 1);
  EXPECT_EQ(history.steps.size(), 1);
  EXPECT_EQ(bytes, kStep1.size());
}

}  // namespace
}  // namespace paligemma::test
