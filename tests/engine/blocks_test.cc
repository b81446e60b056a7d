// Whole models with weights in blocks of 8 and 4 bits.
#include <gtest/gtest.h>

#include "loaded.h"
#include "support/isas.h"

namespace paligemma {
namespace {

struct BlockCase {
  std::string isa;
  HeldAs held;
};

std::vector<BlockCase> block_cases() {
  std::vector<BlockCase> cases;
  for (const std::string& isa : test::runnable_isas())
    for (const HeldAs held : {HeldAs::q8, HeldAs::q4}) cases.push_back({isa, held});
  return cases;
}

class Blocks : public Pg2Cases, public ::testing::WithParamInterface<BlockCase> {};
INSTANTIATE_TEST_SUITE_P(Isas, Blocks, ::testing::ValuesIn(block_cases()), [](const auto& info) {
  return info.param.isa + (info.param.held == HeldAs::q8 ? "_q8" : "_q4");
});

// Activations are rounded to 16 bits in products, to half of 2^-15 of the largest of 32: what that adds up to in a few
// layers stays far below the steps of bf16, 2^-9.
TEST_P(Blocks, AnswersAreThoseOfTheNumbersThatTheyStandFor) {
  std::vector<std::vector<float>> logits;
  std::vector<EngineAnswer> answers;
  for (const bool as_if : {false, true}) {
    Loaded model("models/pg2", GetParam().isa, {.held = GetParam().held, .as_if_held = as_if});
    ASSERT_EQ(model.network.decoder.embedding.dtype, as_if                           ? DType::f32
                                                     : GetParam().held == HeldAs::q8 ? DType::q8
                                                                                     : DType::q4);
    Taps seen;
    collect(*model.engine, seen);
    model.see({patches(model, 0)});
    answers.push_back(model.answer(make_prompt(pairs[0], 1)));
    logits.push_back(seen.at("logits"));
  }
  EXPECT_LE(relative_rms(logits[0], logits[1]), 0x1p-12);
  EXPECT_EQ(answers[0].ids, answers[1].ids);
}

// Alone or together, in one step or in many: the same bits.
TEST_P(Blocks, BatchesEqualSinglePrompts) {
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    Loaded model("models/pg2", GetParam().isa, {.precision = precision, .held = GetParam().held});
    std::vector<EnginePrompt> prompts;
    std::vector<std::vector<float>> pictures;
    for (std::int64_t i = 0; i < 3; ++i) {
      pictures.push_back(patches(model, i));
      prompts.push_back(make_prompt(pairs[static_cast<std::size_t>(i)], 12, {i}));
    }
    model.see(pictures);
    const auto together = model.engine->generate(prompts);
    for (std::size_t i = 0; i < 3; ++i) {
      model.see({pictures[i]});
      prompts[i].pictures = {0};
      const EngineAnswer alone = model.answer(prompts[i]);
      EXPECT_EQ(together[i].ids, alone.ids);
      EXPECT_EQ(together[i].logprobs, alone.logprobs);
      // Scored as a suffix, in the prefill, the answer has the log-probabilities that it got token by token.
      EnginePrompt scored = prompts[i];
      scored.suffix = alone.ids;
      if (alone.stopped) scored.suffix.pop_back();
      scored.max_tokens = 0;
      EngineAnswer again = model.answer(scored);
      again.logprobs.resize(alone.logprobs.size());
      EXPECT_EQ(again.logprobs, alone.logprobs);
    }
  }
}

}  // namespace
}  // namespace paligemma
