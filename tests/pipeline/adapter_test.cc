// Adapters through the public interface: which one answers a request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <paligemma/paligemma.h>

#include <cmath>
#include <filesystem>

#include "support/errors.h"
#include "support/golden.h"
#include "support/scratch.h"

namespace paligemma {
namespace {

using test::golden;
using test::golden_json;
using test::ids;
using test::Scratch;
using ::testing::HasSubstr;
using ::testing::Not;

class Adapters : public ::testing::Test {
 protected:
  static Model open(const std::vector<std::string>& names, bool merge = false) {
    ModelOptions options{.weights = WeightType::f32, .compute = Compute::f32, .threads = 2};
    for (const std::string& name : names) options.adapters.push_back(golden("lora") / name);
    options.merge_adapters = merge;
    return Model::open(golden("models/pg2"), options);
  }

  Request request(std::optional<std::string> adapter) const {
    Request out{.task = Task::run, .text = "caption en", .max_tokens = 32, .logprobs = true};
    const std::filesystem::path path = golden("pictures/astronaut.jpg");
    out.pictures.push_back({path.string(), read_picture(path, {.apply_exif = false})});
    out.adapter = std::move(adapter);
    return out;
  }

  std::vector<std::int32_t> expected(const std::string& adapter) const {
    return ids(cases["adapters"][adapter]["greedy"]["ids"]);
  }

  static std::vector<std::int32_t> token_ids(const Result& result) {
    std::vector<std::int32_t> out;
    for (const Token& token : result.tokens) out.push_back(token.id);
    return out;
  }

  const Json cases = golden_json("lora/case.json");
  const std::vector<std::int32_t> without = ids(golden_json("forward/pg2/case.json")["pairs"][0]["greedy"]["ids"]);
};

TEST_F(Adapters, EachRequestOfABatchHasItsOwn) {
  Model model = open({"plain", "dora", "projector"});
  const std::vector<Request> requests = {request(""),
                                         request("dora"),
                                         request(std::nullopt),
                                         request("projector"),
                                         request(golden("lora/dora").string()),
                                         request("plain")};
  const std::vector<Result> results = model.answer(requests);
  EXPECT_EQ(token_ids(results[0]), expected("plain"));
  EXPECT_EQ(token_ids(results[1]), expected("dora"));
  EXPECT_EQ(token_ids(results[2]), without);
  EXPECT_EQ(token_ids(results[3]), expected("projector"));
  EXPECT_EQ(token_ids(results[4]), expected("dora"));
  EXPECT_EQ(token_ids(results[5]), expected("plain"));
}

TEST_F(Adapters, MergedOnesAnswerEverything) {
  Model model = open({"dora"}, true);
  EXPECT_EQ(token_ids(model.answer(request(""))), expected("dora"));
  EXPECT_EQ(token_ids(model.answer(request(std::nullopt))), expected("dora"));
  expect_error(ErrorKind::usage, "adapter", "dora", [&] { model.answer(request("dora")); });
}

// Of the adapter that was trained with them, beside others; merged, of the model. The answer is given, so that there is
// something to score.
TEST_F(Adapters, HaveTheirOwnNoiseBoxes) {
  const Scratch scratch;
  std::filesystem::copy(golden("lora/dora"), scratch.folder() / "noisy");
  scratch.write("noisy/paligemma.json", R"({"final_logit_softcapping": 30, "attn_logit_softcapping": 50,)"
                                        R"("paligemma_noise_boxes": 2})");
  const auto answers = [&](Model& model, const std::vector<std::optional<std::string>>& adapters, int max_tokens) {
    std::vector<Request> requests;
    for (const auto& adapter : adapters) {
      Request& one = requests.emplace_back(request(adapter));
      one.text = "detect cat", one.max_tokens = max_tokens;
      if (max_tokens == 0) one.suffix = "<loc0001><loc0002><loc0500><loc0600> cat";
    }
    return model.answer(requests);
  };
  const auto expect_label = [](const Result& result) {
    ASSERT_EQ(result.objects.size(), 1u);
    EXPECT_EQ(result.objects[0].score_kind, ScoreKind::label_prob);
    double sum = 0;  // of what is behind the four loc tokens, less eos
    for (std::size_t i = 4; i + 1 < result.tokens.size(); ++i) sum += result.tokens[i].logprob;
    EXPECT_NEAR(std::log(result.objects[0].score.value()), sum, 1e-9);
  };
  Model model = open({"plain", scratch.path("noisy")});
  const std::vector<Result> results = answers(model, {"plain", "noisy", std::nullopt, "noisy"}, 0);
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}})
    EXPECT_EQ(results[i].objects.at(0).score_kind, ScoreKind::loc_geomean);
  for (const std::size_t i : {std::size_t{1}, std::size_t{3}}) expect_label(results[i]);
  Model merged = open({"plain", scratch.path("noisy")}, true);
  expect_label(answers(merged, {std::nullopt}, 0).front());

  scratch.write("noisy/paligemma.json", R"({"paligemma_noise_boxes": 2000})");
  expect_error(ErrorKind::model, "trained_numerics", "paligemma_noise_boxes",
               [&] { open({"plain", scratch.path("noisy")}); });
}

TEST_F(Adapters, NamesThatNoneOrTwoHaveAreRefused) {
  Model model = open({"plain", "dora", "../lora/dora"});
  expect_error(ErrorKind::usage, "adapter", "no such adapter: dorra: expected one of plain, dora, dora",
               [&] { model.answer(request("dorra")); });
  expect_error(ErrorKind::usage, "adapter", "two adapters", [&] { model.answer(request("dora")); });
  EXPECT_EQ(token_ids(model.answer(request(golden("lora/dora").string()))), expected("dora"));
  Model base = open({});
  EXPECT_EQ(token_ids(base.answer(request(""))), without);
  expect_error(ErrorKind::usage, "adapter", "got none", [&] { base.answer(request("dora")); });
}

TEST_F(Adapters, ThatDoNotFitTheModelAreRefused) {
  ModelOptions options{.threads = 1};
  options.adapters = {golden("lora/plain")};
  expect_error(ErrorKind::model, "adapter_key", "layers.3",
               [&] { Model::open(golden("models/pg2-28b-like"), options); });
  options.adapters = {golden("models/pg2")};
  expect_error(ErrorKind::model, "adapter_missing", "adapter_config.json",
               [&] { Model::open(golden("models/pg2"), options); });
}

// The bytes that are said to be needed, with as little memory as there can be.
TEST_F(Adapters, CountAsMemory) {
  const auto message = [](const std::vector<std::string>& names, bool merge = false) -> std::string {
    ModelOptions options{.merge_adapters = merge, .compute = Compute::f32, .threads = 1, .memory_limit = 1};
    for (const std::string& name : names) options.adapters.push_back(golden("lora/" + name));
    try {
      Model::open(golden("models/pg2"), options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::resource);
      return error.what();
    }
    return "no error";
  };
  const std::string with = message({"plain", "dora", "rslora", "patterns"});
  EXPECT_NE(with, message({})) << with;
  EXPECT_THAT(message({"plain", "dora"}, true), HasSubstr(", loading 8."));  // MiB: an arena each
  EXPECT_THAT(message({}, true), Not(HasSubstr("loading")));
}

}  // namespace
}  // namespace paligemma
