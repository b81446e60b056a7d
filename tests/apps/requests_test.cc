#include "requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch.h"

namespace paligemma {
namespace {

using test::Scratch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST(Requests, SayHowTokensAreChosen) {
  const Scratch scratch;
  const std::string file = scratch.write(
      "q.jsonl",
      R"({"image":"a","prompt":"p","temperature":0.5,"top_k":3,"top_p":1,"min_p":0.25,"repetition_penalty":1.5,"seed":9})"
      "\n"
      R"({"image":"a","prompt":"p","beams":4,"beam_score":"sum","length_penalty":-1})"
      "\n");
  const std::vector<Job> jobs = read_requests(file, {.sampling = {.temperature = 1, .seed = 7}});
  const Sampling& sampling = jobs[0].request.sampling;
  EXPECT_EQ(sampling.temperature, 0.5);
  EXPECT_EQ(sampling.top_k, 3);
  EXPECT_EQ(sampling.top_p, 1);
  EXPECT_EQ(sampling.min_p, 0.25);
  EXPECT_EQ(sampling.repetition_penalty, 1.5);
  EXPECT_EQ(sampling.seed, 9u);
  EXPECT_EQ(jobs[1].request.sampling.temperature, 1);
  EXPECT_EQ(jobs[1].request.sampling.seed, 7u);
  EXPECT_EQ(jobs[1].request.beams.count, 4);
  EXPECT_EQ(jobs[1].request.beams.score, BeamScore::sum);
  EXPECT_EQ(jobs[1].request.beams.length_penalty, -1);
}

TEST(Requests, NameTheirAdapter) {
  const Scratch scratch;
  const std::string file = scratch.write("q.jsonl",
                                         "{\"image\":\"a\",\"prompt\":\"p\",\"adapter\":\"b\"}\n"
                                         "{\"image\":\"a\",\"prompt\":\"p\",\"adapter\":null}\n"
                                         "{\"image\":\"a\",\"prompt\":\"p\"}\n");
  const std::vector<Job> jobs = read_requests(file, {});
  EXPECT_EQ(jobs[0].request.adapter, "b");
  EXPECT_EQ(jobs[1].request.adapter, std::nullopt);
  EXPECT_EQ(jobs[2].request.adapter, "");
}

TEST(Requests, RefuseABadLineByItsNumber) {
  const Scratch scratch;
  const std::pair<const char*, const char*> lines[] = {
      {R"({"image":"a","prompt":"p","colour":1})", "colour"},
      {R"({"image":"a"})", "prompt: expected text, got none"},
      {R"({"prompt":"p"})", "image: expected a path, or a list of them as images, got none"},
      {R"({"image":"a","images":["b"],"prompt":"p"})", "image: expected no images beside it"},
      {R"({"images":[],"prompt":"p"})", "images: expected a list of paths, got "},
      {R"({"images":"a","prompt":"p"})", "images: expected a list of paths, got "},
      {R"({"images":["a",1],"prompt":"p"})", "images: expected text, got 1"},
      {R"({"image":"","prompt":"p"})", "image: expected a path, got "},
      {R"({"image":"a\u0000b","prompt":"p"})", "image: expected a path, got "},
      {R"({"image":"a","prompt":7})", "prompt: expected text, got 7"},
      {R"({"image":"a","prompt":"p","suffix":null})", "suffix: expected text, got null"},
      {R"({"image":"a","prompt":"p","max_tokens":-1})", "got -1"},
      {R"({"image":"a","prompt":"p","max_tokens":1.5})", "got 1.5"},
      {R"({"image":"a","prompt":"p","max_tokens":18446744073709551615})", "got 18446744073709551615"},
      {R"({"image":"a","prompt":"p","temperature":-1})", "temperature: expected a number from 0 to 100, got -1"},
      {R"({"image":"a","prompt":"p","temperature":"1"})", R"(temperature: expected a number from 0 to 100, got "1")"},
      {R"({"image":"a","prompt":"p","top_p":1.5})", "top_p: expected a number from 0 to 1, got 1.5"},
      {R"({"image":"a","prompt":"p","top_k":1.5})", "top_k: expected a whole number from 0 to 1048576, got 1.5"},
      {R"({"image":"a","prompt":"p","seed":-1})", "seed: expected a whole number"},
      {R"({"image":"a","prompt":"p","beams":65})", "beams: expected a whole number from 1 to 64, got 65"},
      {R"({"image":"a","prompt":"p","beam_score":"best"})", R"(beam_score: expected mean or sum, got "best")"},
      {R"({"image":"a","prompt":"p","adapter":3})", "adapter: expected text, got 3"},
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
