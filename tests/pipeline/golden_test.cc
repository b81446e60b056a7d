// From picture files to tokens, against transformers: every pair of tests/golden/forward, and the embedded model's
// answers.
#include "support/golden.h"

#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

#include <algorithm>

#include "support/tolerances.h"

namespace paligemma {
namespace {

using test::golden;
using test::golden_json;
using test::ids;

std::vector<std::int32_t> token_ids(const Result& result) {
  std::vector<std::int32_t> out;
  for (const Token& token : result.tokens) out.push_back(token.id);
  return out;
}

void expect_logprobs(const Result& result, const Json& expected) {
  ASSERT_EQ(result.tokens.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(result.tokens[i].logprob, expected[i].get<double>(), test::kLogprob) << "token " << i;
}

// The reference applies no EXIF orientation.
RequestPicture picture(const std::filesystem::path& path) {
  return {path.string(), read_picture(path, {.apply_exif = false})};
}

class Checkpoint : public ::testing::TestWithParam<std::string> {
 protected:
  Json cases = golden_json("forward/" + GetParam() + "/case.json");
  Model model = Model::open(golden("models/" + GetParam()), {.compute = Compute::f32, .threads = 2});

  Request request(const Json& pair) const {
    Request out{
        .task = Task::run, .text = pair["prompt"], .max_tokens = cases["new_tokens"].get<int>(), .logprobs = true};
    const Json names = pair.contains("pictures") ? pair["pictures"] : Json::array({pair["picture"]});
    for (const Json& name : names) out.pictures.push_back(picture(golden("pictures/" + name.get<std::string>())));
    return out;
  }
};

TEST_P(Checkpoint, AnswersEveryPair) {
  for (const Json& pair : cases["pairs"]) {
    SCOPED_TRACE(pair["prompt"].get<std::string>());
    const Result result = model.answer(request(pair));
    EXPECT_EQ(result.prompt_tokens, static_cast<int>(pair["input_ids"].size()));
    EXPECT_EQ(token_ids(result), ids(pair["greedy"]["ids"]));
    expect_logprobs(result, pair["greedy"]["logprobs"]);
    EXPECT_EQ(result.text, pair["greedy"]["text"].get<std::string>());
    EXPECT_EQ(result.finish == Finish::eos, pair["greedy"]["stopped"].get<bool>());
  }
}

TEST_P(Checkpoint, ScoresEverySuffix) {
  for (const Json& pair : cases["pairs"]) {
    if (!pair.contains("suffix")) continue;
    Request request = this->request(pair);
    request.suffix = pair["suffix"]["text"];
    request.max_tokens = 0;
    expect_logprobs(model.answer(request), pair["suffix"]["scores"]["logprobs"]);
  }
}

// A batch, a shuffled batch and single requests give the same bits.
TEST_P(Checkpoint, BatchEqualsSingleRequests) {
  std::vector<Request> requests;
  for (const Json& pair : cases["pairs"]) requests.push_back(request(pair));
  std::ranges::rotate(requests, requests.begin() + 3);
  const std::vector<Result> together = model.answer(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Result alone = model.answer(requests[i]);
    ASSERT_EQ(token_ids(together[i]), token_ids(alone));
    for (std::size_t t = 0; t < alone.tokens.size(); ++t)
      EXPECT_EQ(together[i].tokens[t].logprob, alone.tokens[t].logprob);
  }
}

TEST_P(Checkpoint, ThreadsDoNotChangeABit) {
  const Request request = this->request(cases["pairs"][1]);
  const Result two = model.answer(request);
  for (const int threads : {1, 3, 5}) {
    Model other = Model::open(golden("models/" + GetParam()), {.compute = Compute::f32, .threads = threads});
    const Result result = other.answer(request);
    ASSERT_EQ(token_ids(result), token_ids(two));
    for (std::size_t t = 0; t < two.tokens.size(); ++t) EXPECT_EQ(result.tokens[t].logprob, two.tokens[t].logprob);
  }
}

TEST_P(Checkpoint, TwoPicturesInOnePrompt) {
  if (!cases.contains("two_pictures")) return;
  const Result result = model.answer(request(cases["two_pictures"]));
  EXPECT_EQ(token_ids(result), ids(cases["two_pictures"]["greedy"]["ids"]));
}

TEST_P(Checkpoint, CausalRequest) {
  const auto expected = ids(cases["without_token_type_ids"]["greedy_ids"]);
  Request request = this->request(cases["pairs"][cases["without_token_type_ids"]["pair"].get<std::size_t>()]);
  request.causal = true;
  request.max_tokens = static_cast<int>(expected.size());
  EXPECT_EQ(token_ids(model.answer(request)), expected);
}

INSTANTIATE_TEST_SUITE_P(Golden, Checkpoint, ::testing::Values("pg1", "pg2", "pg2-28b-like", "pg2-f16"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// The embedded model on its own pictures: the reference's ids, up to the first near-tie.
TEST(Pocket, GivesTheReferenceAnswers) {
  Model model = Model::embedded({.compute = Compute::f32});
  const Json answers = golden_json("pocket/answers.json");
  ASSERT_EQ(answers.size(), 88u);
  std::size_t compared = 0, total = 0;
  for (const Json& expected : answers) {
    const std::string name = expected["picture"], prompt = expected["prompt"];
    SCOPED_TRACE(name + ": " + prompt);
    Request request{.task = Task::run, .text = prompt, .logprobs = true};
    request.pictures.push_back(picture(std::filesystem::path(POCKET_DIR) / "pictures" / name));
    const Result result = model.answer(request);
    auto got = token_ids(result), want = ids(expected["ids"]);
    const auto tie =
        std::ranges::find_if(result.tokens, [](const Token& token) { return token.margin < test::kNearTie; });
    const auto exact = static_cast<std::size_t>(tie - result.tokens.begin());
    total += want.size();
    if (tie != result.tokens.end()) got.resize(exact), want.resize(std::min(want.size(), exact));
    compared += want.size();
    EXPECT_EQ(got, want);
    if (tie == result.tokens.end()) {
      EXPECT_EQ(result.text, expected["text"].get<std::string>());
    }
  }
  EXPECT_GE(compared, total * 7 / 10);  // near-ties are few: most of what the reference says is compared
}

}  // namespace
}  // namespace paligemma
