// The forward pass against transformers: every tap, the logits, greedy answers and scores of tests/golden/forward, for
// every checkpoint form of tests/golden/models and under every instruction set that this machine has.
#include <gtest/gtest.h>

#include <algorithm>

#include "loaded.h"
#include "support/isas.h"

namespace paligemma {
namespace {

struct GoldenCase {
  std::string folder, reference, isa;
  friend std::ostream& operator<<(std::ostream& out, const GoldenCase& c) { return out << c.folder << " " << c.isa; }
};

class Golden : public ::testing::TestWithParam<GoldenCase> {
 protected:
  const std::string reference = "forward/" + GetParam().reference + "/";
  const Json cases = golden_json(reference + "case.json");
  const Safetensors tensors = golden_tensors(reference + "taps.safetensors");
  const int new_tokens = cases["new_tokens"].get<int>();

  const HostTensor* tensor(const std::string& name) const {
    const auto found = tensors.tensors.find(name);
    return found == tensors.tensors.end() ? nullptr : &found->second;
  }
  std::vector<float> patches(const Loaded& model, std::size_t pair) const {
    return model.patches(tensors.others.at(std::to_string(pair) + "/pixels_u8").bytes);
  }
  // The pairs whose resized picture is part of the reference.
  std::vector<std::size_t> pairs() const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < cases["pairs"].size(); ++i)
      if (tensors.others.contains(std::to_string(i) + "/pixels_u8")) all.push_back(i);
    return all;
  }
};

TEST_P(Golden, TapsAgree) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  int compared = 0;
  for (const std::size_t pair : pairs()) {
    Taps taps;
    collect(*model.engine, taps);
    model.see({patches(model, pair)});
    model.answer(make_prompt(cases["pairs"][pair], 1));
    taps["logits_last"] = taps["logits"];
    taps.erase("logits");
    for (const auto& [name, actual] : taps) {
      const HostTensor* expected = tensor(std::to_string(pair) + "/" + name);
      if (!expected) continue;
      EXPECT_LE(relative_rms(actual, values(*expected)), test::kTapRelativeRms) << pair << "/" << name;
      ++compared;
    }
  }
  int published = 0;
  for (const auto& [name, value] : tensors.tensors)
    if (std::isdigit(name[0]) && std::ranges::count(pairs(), std::stoul(name)) && !name.ends_with("/logits") &&
        !name.ends_with("/suffix_logits") && !name.ends_with("/pixel_values"))
      ++published;
  EXPECT_EQ(compared, published);
}

TEST_P(Golden, AllLogitsOfThePromptAgree) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  Taps taps;
  collect(*model.engine, taps);
  model.see({patches(model, 0)});
  model.answer(make_prompt(cases["pairs"][0], 1));
  // The engine asks for the logits of the last row alone: here the head runs over the rows that the reference holds.
  Arena arena(*model.backend);
  Pass pass{*model.backend, arena};
  const auto first = cases["logits_rows"][0].get<std::int64_t>(), last = cases["logits_rows"][1].get<std::int64_t>();
  const std::int64_t width = model.config.decoder.width;
  const auto& normed = taps.at("decoder.norm");
  const View out = logits(pass, model.config, model.network, {normed.data() + first * width, last - first, width});
  EXPECT_LE(relative_rms({out.data, static_cast<std::size_t>(out.rows * out.cols)}, values(*tensor("0/logits"))),
            test::kTapRelativeRms);
}

TEST_P(Golden, GreedyAnswersAgree) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  for (const std::size_t pair : pairs()) {
    SCOPED_TRACE(pair);
    model.see({patches(model, pair)});
    expect_answer(model.answer(make_prompt(cases["pairs"][pair], new_tokens)), cases["pairs"][pair]["greedy"]);
  }
}

TEST_P(Golden, SuffixesAreScored) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  for (const std::size_t pair : pairs()) {
    SCOPED_TRACE(pair);
    Taps taps;
    collect(*model.engine, taps);
    model.see({patches(model, pair)});
    expect_scores(model.answer(make_scoring(cases["pairs"][pair])), cases["pairs"][pair]["suffix"]["scores"]);
    if (const HostTensor* expected = tensor(std::to_string(pair) + "/suffix_logits")) {
      // The reference has one row more, after eos.
      auto rows = values(*expected);
      rows.resize(rows.size() - static_cast<std::size_t>(model.config.decoder.vocabulary));
      EXPECT_LE(relative_rms(taps.at("logits"), rows), test::kTapRelativeRms);
    }
  }
}

TEST_P(Golden, WithoutFinalSoftCap) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  if (model.config.decoder.final_cap == 0) return;  // nothing to turn off
  model.config.decoder.final_cap = 0;
  model.see({patches(model, 0)});
  expect_scores(model.answer(make_scoring(cases["pairs"][0])),
                cases["pairs"][0]["suffix"]["scores_without_final_softcap"]);
}

TEST_P(Golden, WithoutAttentionSoftCap) {
  if (!cases.contains("without_attention_softcap")) return;
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  model.config.decoder.attention_cap = 0;
  Taps taps;
  collect(*model.engine, taps);
  model.see({patches(model, 0)});
  model.answer(make_prompt(cases["pairs"][0], 1));
  EXPECT_LE(relative_rms(taps.at("logits"), values(*tensor("without_attention_softcap/logits_last"))),
            test::kTapRelativeRms);
}

// Rows behind the prefix lose keys on every second layer; the prompt's own logits are those without a window.
TEST_P(Golden, SlidingWindow) {
  if (!cases.contains("sliding_window_8")) return;
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  EXPECT_EQ(model.config.decoder.declared_window, 4096);
  EXPECT_EQ(model.config.decoder.window, 0);
  model.config.decoder.window = 8;
  const Json& expected = cases["sliding_window_8"];
  const auto pair = expected["pair"].get<std::size_t>();
  const Json& case_ = cases["pairs"][pair];
  Taps taps;
  collect(*model.engine, taps);
  model.see({patches(model, pair)});
  expect_scores(model.answer(make_scoring(case_)), expected["suffix_scores"]);
  auto rows = values(*tensor("sliding_window_8/suffix_logits"));
  rows.resize(taps.at("logits").size());  // the reference may have one row more, after eos
  EXPECT_LE(relative_rms(taps.at("logits"), rows), test::kTapRelativeRms);
  taps.clear();
  expect_answer(model.answer(make_prompt(case_, new_tokens)), expected["greedy"]);
  auto& all = taps.at("logits");
  all.resize(static_cast<std::size_t>(model.config.decoder.vocabulary));
  EXPECT_LE(relative_rms(all, values(*tensor("sliding_window_8/logits_last"))), test::kTapRelativeRms);
}

// The reference pads the shorter prompts at the left; here there is no padding at all.
TEST_P(Golden, BatchesAgree) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  std::vector<EnginePrompt> prompts;
  std::vector<std::vector<float>> pictures;
  for (std::int64_t i = 0; i < 3; ++i) {
    pictures.push_back(patches(model, static_cast<std::size_t>(i)));
    prompts.push_back(make_prompt(cases["pairs"][static_cast<std::size_t>(i)], new_tokens, {i}));
  }
  model.see(pictures);
  const auto answers = model.engine->generate(prompts);
  for (std::size_t i = 0; i < 3; ++i) expect_answer(answers[i], cases["batch"]["greedy"][i]);
}

TEST_P(Golden, TwoPicturesInOnePrompt) {
  if (!cases.contains("two_pictures")) return;
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  // Both pictures of the case are those of pairs 0 and 1.
  ASSERT_EQ(cases["two_pictures"]["pictures"][0], cases["pairs"][0]["picture"]);
  ASSERT_EQ(cases["two_pictures"]["pictures"][1], cases["pairs"][1]["picture"]);
  model.see({patches(model, 0), patches(model, 1)});
  const Json& case_ = cases["two_pictures"];
  expect_answer(model.answer(make_prompt(case_, new_tokens, {0, 1})), case_["greedy"]);
  expect_scores(model.answer(make_scoring(case_, {0, 1})), case_["suffix"]["scores"]);
}

TEST_P(Golden, CausalWithoutPrefix) {
  Loaded model("models/" + GetParam().folder, GetParam().isa);
  Taps taps;
  collect(*model.engine, taps);
  model.see({patches(model, 0)});
  const auto expected = ids(cases["without_token_type_ids"]["greedy_ids"]);
  EnginePrompt prompt = make_prompt(cases["pairs"][0], static_cast<int>(expected.size()));
  prompt.prefix = 0;
  EXPECT_EQ(model.answer(prompt).ids, expected);
  auto& all = taps.at("logits");
  all.resize(static_cast<std::size_t>(model.config.decoder.vocabulary));
  EXPECT_LE(relative_rms(all, values(*tensor("without_token_type_ids/logits_last"))), test::kTapRelativeRms);
}

// In bf16 every tap is at least as close to f32 as transformers' own bf16 is: root mean square over the pairs, since
// one pair's last row is a single draw of rounding noise.
TEST_P(Golden, Bf16IsAsCloseAsTheReference) {
  Loaded model("models/" + GetParam().folder, GetParam().isa, {.precision = Precision::bf16});
  std::map<std::string, std::pair<double, double>> squares;  // tap -> ours, theirs
  for (const std::size_t pair : pairs()) {
    Taps taps;
    collect(*model.engine, taps);
    model.see({patches(model, pair)});
    model.answer(make_prompt(cases["pairs"][pair], 1));
    taps["logits_last"] = taps["logits"];
    for (const auto& [name, distance] : cases["pairs"][pair]["bf16_distance"].items()) {
      const HostTensor* expected = tensor(std::to_string(pair) + "/" + name);
      if (!expected) continue;
      const double ours = relative_rms(taps.at(name), values(*expected)), theirs = distance["rel_rms"].get<double>();
      squares[name].first += ours * ours;
      squares[name].second += theirs * theirs;
    }
  }
  EXPECT_GE(squares.size(), 5u);
  for (const auto& [name, sums] : squares) EXPECT_LE(std::sqrt(sums.first / sums.second), 1) << name;
}

std::vector<GoldenCase> golden_cases() {
  const std::vector<std::pair<std::string, std::string>> folders{{"pg1", "pg1"},
                                                                 {"pg2", "pg2"},
                                                                 {"pg2-28b-like", "pg2-28b-like"},
                                                                 {"pg2-f16", "pg2-f16"},
                                                                 {"pg2-saved-by-transformers", "pg2"},
                                                                 {"pg2-memory-names-with-lm-head", "pg2"}};
  std::vector<GoldenCase> all;
  for (const std::string& isa : test::runnable_isas())
    for (const auto& [folder, reference] : folders) all.push_back({folder, reference, isa});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Golden, ::testing::ValuesIn(golden_cases()), [](const auto& info) {
  std::string name = info.param.folder + "_" + info.param.isa;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace paligemma
