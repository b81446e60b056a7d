#include "report/result_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace paligemma {
namespace {

TEST(ResultText, AnswerOnOneLine) {
  const Result result{.task = Task::ocr, .path = "a\tb.png", .text = "raw", .answer = "two\nlines\x1b[2J"};
  EXPECT_EQ(result_text(result), "two\\nlines\\x1b[2J\n");
  EXPECT_EQ(result_text(result, {.with_path = true}), "a\\tb.png\ttwo\\nlines\\x1b[2J\n");
}

TEST(ResultText, WithoutAnAnswerWhatTheModelWrote) {
  const Result result{.task = Task::run, .text = "<loc0001>"};
  EXPECT_EQ(result_text(result), "<loc0001>\n");
}

Result cow_and_dog(Task task) {
  Result result{.task = task, .path = "zoo.jpg"};
  result.objects.push_back({.label = "red\tcow", .box = {320.26, 213.5, 960.9, 640.44}, .score = 0.9126});
  result.objects.push_back({.label = "dog", .box = {0, 1, 2, 3}});
  result.objects[0].mask = Mask{.width = 3, .height = 2, .inside = {1, 0, 1, 1, 0, 1}};
  return result;
}

TEST(ResultText, DetectIsOneLineAnObject) {
  EXPECT_EQ(result_text(cow_and_dog(Task::detect)),
            "red\\tcow\t0.913\t320.3\t213.5\t960.9\t640.4\ndog\t-\t0.0\t1.0\t2.0\t3.0\n");
  EXPECT_EQ(result_text(cow_and_dog(Task::detect), {.with_path = true}),
            "zoo.jpg\tred\\tcow\t0.913\t320.3\t213.5\t960.9\t640.4\nzoo.jpg\tdog\t-\t0.0\t1.0\t2.0\t3.0\n");
}

TEST(ResultText, SegmentAddsAreaAndFile) {
  EXPECT_EQ(result_text(cow_and_dog(Task::segment)),
            "red\\tcow\t0.913\t320.3\t213.5\t960.9\t640.4\t4\ndog\t-\t0.0\t1.0\t2.0\t3.0\t-\n");
  const std::vector<std::string> files{"out/zoo.0.png", ""};
  EXPECT_EQ(result_text(cow_and_dog(Task::segment), {.mask_files = files}),
            "red\\tcow\t0.913\t320.3\t213.5\t960.9\t640.4\t4\tout/zoo.0.png\ndog\t-\t0.0\t1.0\t2.0\t3.0\t-\t\n");
}

TEST(ResultText, FindingNothingIsNoLine) {
  EXPECT_EQ(result_text(Result{.task = Task::detect, .text = "nothing"}, {.with_path = true}), "");
}

}  // namespace
}  // namespace paligemma
