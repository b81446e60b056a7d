#include "requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch.h"

namespace paligemma {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Scratch;

TEST(Requests, AreReadInOrder) {
  const Scratch scratch;
  const std::string file =
      scratch.write("q.jsonl",
                    "{\"image\":\"a.png\",\"prompt\":\"caption en\"}\r\n\n"
                    "{\"prompt\":\"x\\n\",\"images\":[\"b.png\",\"/c.png\"],\"suffix\":\"s\",\"max_tokens\":0}");
  const std::vector<Job> jobs = read_requests(file, {.suffix = "given", .max_tokens = 7, .logprobs = true});
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_THAT(jobs[0].pictures, ElementsAre(scratch.path("a.png")));
  EXPECT_EQ(jobs[0].request.task, Task::run);
  EXPECT_EQ(jobs[0].request.text, "caption en");
  EXPECT_EQ(jobs[0].request.suffix, "given");
  EXPECT_EQ(jobs[0].request.max_tokens, 7);
  EXPECT_TRUE(jobs[0].request.logprobs);
  EXPECT_EQ(jobs[0].where, file + " line 1");
  EXPECT_THAT(jobs[1].pictures, ElementsAre(scratch.path("b.png"), "/c.png"));
  EXPECT_EQ(jobs[1].request.text, "x\n");
  EXPECT_EQ(jobs[1].request.suffix, "s");
  EXPECT_EQ(jobs[1].request.max_tokens, 0);
  EXPECT_EQ(jobs[1].where, file + " line 3");
}

TEST(Requests, RefuseABadLineByItsNumber) {
  const Scratch scratch;
  const std::pair<const char*, const char*> lines[] = {
      {R"({"image":"a","prompt":"p","colour":1})", "colour"},
      {R"({"image":"a"})", "expected a prompt, got none"},
      {R"({"prompt":"p"})", "got neither"},
      {R"({"image":"a","images":["b"],"prompt":"p"})", "got both"},
      {R"({"images":[],"prompt":"p"})", "images to be a list"},
      {R"({"images":"a","prompt":"p"})", "images to be a list"},
      {R"({"images":["a",1],"prompt":"p"})", "images to be text, got 1"},
      {R"({"image":"","prompt":"p"})", "image to hold a path"},
      {R"({"image":"a\u0000b","prompt":"p"})", "image to hold a path"},
      {R"({"image":"a","prompt":7})", "prompt to be text, got 7"},
      {R"({"image":"a","prompt":"p","suffix":null})", "suffix to be text, got null"},
      {R"({"image":"a","prompt":"p","max_tokens":-1})", "got -1"},
      {R"({"image":"a","prompt":"p","max_tokens":1.5})", "got 1.5"},
      {R"({"image":"a","prompt":"p","max_tokens":18446744073709551615})", "got 18446744073709551615"},
      {R"({"image":"a","prompt":"p","prompt":"q"})", "line 2"},  // a key twice
      {R"(["image"])", "expected an object"},
      {R"({"image":)", "JSON"},
      {"{\"image\":\"\xff\",\"prompt\":\"p\"}", "JSON"},  // no UTF-8
  };
  for (const auto& [line, part] : lines) {
    const std::string file =
        scratch.write("bad.jsonl", std::string("{\"image\":\"a\",\"prompt\":\"fine\"}\n") + line + "\n");
    try {
      read_requests(file, {});
      ADD_FAILURE() << "accepted: " << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << line;
      EXPECT_THAT(error.what(), HasSubstr(part)) << line;
      EXPECT_THAT(error.what(), HasSubstr("bad.jsonl line 2")) << line;
    }
  }
}

TEST(Requests, OfAnEmptyFileAreRefused) {
  const Scratch scratch;
  EXPECT_THROW(read_requests(scratch.write("empty.jsonl", "\n\n"), {}), Error);
  EXPECT_THROW(read_requests(scratch.path("none.jsonl"), {}), Error);
}

}  // namespace
}  // namespace paligemma
