// The numerics of big_vision against its own results: tests/golden/npz, whose parameters are here under Hugging Face
// names, with 64 padding rows that big_vision does not have.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "loaded.h"
#include "support/isas.h"
#include "support/tolerances.h"

namespace paligemma {
namespace {

using test::relative_rms;
using test::values;

constexpr std::size_t kRows = 4, kSteps = 10;

struct BigVisionCase {
  std::string folder, isa;
};

struct Mean {
  double squares = 0;
  int count = 0;
  void add(double x) { squares += x * x, ++count; }
  double root() const { return std::sqrt(squares / count); }
};

class BigVision : public ::testing::TestWithParam<BigVisionCase> {
 protected:
  const std::string folder = "npz/" + GetParam().folder;
  const Safetensors tensors = test::golden_tensors(folder + "/decoding.safetensors");

  Loaded load(const Arithmetic& arithmetic) const { return {folder + "/hf", GetParam().isa, arithmetic}; }

  std::vector<float> floats(const std::string& name) const { return values(tensors.tensors.at(name)); }
  std::vector<std::int32_t> integers(const std::string& name) const {
    const auto bytes = tensors.others.at(name).bytes;
    std::vector<std::int32_t> out(bytes.size() / sizeof(std::int32_t));
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }

  // All four pictures, to be row i's of the prompts.
  void see(Loaded& model) const {
    const Safetensors inputs = test::golden_tensors(folder + "/expected.safetensors");
    const auto image = values(inputs.tensors.at("inputs/image"));  // (4, side, side, 3)
    const std::int64_t side = model.config.vision.image_size();
    std::vector<std::vector<float>> pictures;
    for (std::size_t n = 0; n < kRows; ++n)
      pictures.push_back(model.cut([&](std::int64_t c, std::int64_t y, std::int64_t x) {
        return image[static_cast<std::size_t>(((static_cast<std::int64_t>(n) * side + y) * side + x) * 3 + c)];
      }));
    model.see(pictures);
  }

  EnginePrompt prompt(const Loaded& model, std::size_t row, std::span<const std::int32_t> text) const {
    const auto tokens = static_cast<std::size_t>(model.config.vision.tokens());
    EnginePrompt out{.ids = std::vector<std::int32_t>(tokens, *model.config.image_token),
                     .pictures = {static_cast<std::int64_t>(row)}};
    out.ids.insert(out.ids.end(), text.begin(), text.end());
    out.prefix = static_cast<std::int64_t>(out.ids.size());
    return out;
  }
  std::vector<EnginePrompt> prompts(const Loaded& model, int max_tokens) const {
    const auto text = integers("prompt/text"), mask = integers("prompt/mask_input");
    const std::size_t length = text.size() / kRows;
    std::vector<EnginePrompt> out;
    for (std::size_t row = 0; row < kRows; ++row) {
      const auto first = mask.begin() + static_cast<std::ptrdiff_t>(row * length);
      const auto used = static_cast<std::size_t>(std::count(first, first + static_cast<std::ptrdiff_t>(length), 1));
      out.push_back(prompt(model, row, std::span(text).subspan(row * length, used)));
      out.back().max_tokens = max_tokens;
    }
    return out;
  }

  // Tokens of the reference's row up to its first eos: what it makes of a row after that is not an answer.
  std::vector<std::int32_t> answer(const std::string& name, std::size_t row) const {
    const auto tokens = integers(name + "/tokens");
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(row * kSteps);
    const auto eos = std::find(first, first + kSteps, 1);
    return {first, eos == first + kSteps ? eos : eos + 1};
  }

  // RMS distance of the log-probabilities from the reference's, of each row as far as the tokens are the same.
  double distance(std::span<const EngineAnswer> answers, const std::string& name) const {
    const auto logp = floats(name + "/logp");
    Mean mean;
    for (std::size_t row = 0; row < kRows; ++row) {
      const auto expected = answer(name, row);
      for (std::size_t i = 0; i < expected.size() && expected[i] == answers[row].ids[i]; ++i)
        mean.add(answers[row].logprobs[i] - static_cast<double>(logp[row * kSteps + i]));
    }
    return mean.root();
  }

  // The same tokens, and a log-probability that `rounded` with its bf16 cache has far closer than `plain` without.
  void expect_answers(Loaded& rounded, Loaded& plain, const std::string& name, int beams = 1) const {
    auto asked = prompts(rounded, kSteps);
    for (EnginePrompt& prompt : asked) prompt.beams.count = beams;
    const auto answers = rounded.engine->generate(asked);
    for (std::size_t row = 0; row < kRows; ++row) EXPECT_EQ(answers[row].ids, answer(name, row)) << name << " " << row;
    EXPECT_LE(distance(answers, name), test::kFlippedShare * distance(plain.engine->generate(asked), name)) << name;
  }

  // The profile without its bf16 cache.
  static NumericsProfile without_cache() {
    NumericsProfile numerics = kBigVisionNumerics;
    numerics.bf16_cache = false;
    return numerics;
  }
};

TEST_P(BigVision, GreedyAnswersAndBeams) {
  Loaded rounded = load({.numerics = kBigVisionNumerics}), plain = load({.numerics = without_cache()});
  see(rounded), see(plain);
  expect_answers(rounded, plain, "greedy");
  expect_answers(rounded, plain, "beam2", 2);
  expect_answers(rounded, plain, "beam3", 3);
}

// The first token's logits have no final cap, the later ones have it.
TEST_P(BigVision, LogitsOfEachStep) {
  const auto expected = floats("greedy/step_logits");
  const std::size_t vocabulary = expected.size() / (kRows * kSteps);
  const auto distance = [&](const NumericsProfile& numerics) {
    Loaded model = load({.numerics = numerics});
    see(model);
    EXPECT_EQ(vocabulary, static_cast<std::size_t>(*model.config.image_token));
    const auto asked = prompts(model, kSteps);
    Mean mean;
    for (std::size_t row = 0; row < kRows; ++row) {
      std::vector<std::vector<float>> steps;
      model.engine->tap = [&](std::string_view name, ConstView value) {
        if (name == "logits") steps.emplace_back(value.row(0), value.row(0) + vocabulary);
      };
      const EngineAnswer got = model.answer(asked[row]);
      for (std::size_t i = 0; i < steps.size(); ++i)  // of the real vocabulary alone, which is what `steps` has
        EXPECT_DOUBLE_EQ(got.logprobs[i], logprob_of(steps[i], got.ids[i]));
      const auto wanted = answer("greedy", row);
      for (std::size_t i = 0; i < wanted.size() && (i == 0 || got.ids[i - 1] == wanted[i - 1]); ++i)
        mean.add(relative_rms(steps[i], std::span(expected).subspan((row * kSteps + i) * vocabulary, vocabulary)));
    }
    return mean.root();
  };
  EXPECT_LE(distance(kBigVisionNumerics), test::kFlippedShare * distance(without_cache()));
}

// The reference's answers without its favourite tokens, which it keeps from being chosen: here given and scored.
TEST_P(BigVision, ScoresOfGivenAnswers) {
  const auto expected = floats("masked/logp");
  const auto distance = [&](NumericsProfile numerics) {
    numerics.caps_prompt_logits = true;  // as the reference's steps have it, but for the first
    Loaded model = load({.numerics = numerics});
    see(model);
    auto asked = prompts(model, 0);
    for (std::size_t row = 0; row < kRows; ++row) asked[row].suffix = answer("masked", row);
    const auto answers = model.engine->generate(asked);
    Mean mean;
    for (std::size_t row = 0; row < kRows; ++row)
      for (std::size_t i = 1; i < asked[row].suffix.size(); ++i)
        mean.add(answers[row].logprobs[i] - static_cast<double>(expected[row * kSteps + i]));
    return mean.root();
  };
  EXPECT_LE(distance(kBigVisionNumerics), test::kFlippedShare * distance(without_cache()));
}

// Weights as stored in 16 bits, activations in f32: the scaled embedding and the norms' gains are rounded.
TEST_P(BigVision, HalfPrecisionWeights) {
  for (const auto& [name, type] : {std::pair{"half/bf16", DType::bf16}, std::pair{"half/f16", DType::f16}}) {
    if (GetParam().folder == "pg2_27b" && type == DType::f16) continue;  // which the reference was not asked
    SCOPED_TRACE(name);
    Loaded model = load({.numerics = kBigVisionNumerics, .stored = type});
    Loaded scorer = load({.numerics = without_cache(), .stored = type});
    see(model), see(scorer);
    expect_answers(model, scorer, std::string(name) + "/greedy");

    // Its logits of a whole text come from a pass without a cache.
    Taps taps;
    collect(*scorer.engine, taps);
    const auto text = integers("text"), used = integers("mask_input"), ar = integers("mask_ar");
    std::vector<std::int32_t> prefix, suffix;
    for (std::size_t i = 0; i < text.size() && used[i] == 1; ++i) (ar[i] == 0 ? prefix : suffix).push_back(text[i]);
    EnginePrompt asked = prompt(scorer, 0, prefix);
    asked.suffix = suffix;
    scorer.answer(asked);

    const auto tokens = static_cast<std::size_t>(scorer.config.vision.tokens());
    const auto width = static_cast<std::size_t>(scorer.config.decoder.width);
    const std::size_t length = prefix.size() + suffix.size();
    const auto embedded = floats(std::string(name) + "/llm/ztxt");
    for (std::size_t i = 0; i < length * width; ++i)
      ASSERT_EQ(taps.at("embeddings")[tokens * width + i], embedded[i]) << i;

    const auto expected = floats(std::string(name) + "/text_logits");
    const auto rows = static_cast<std::size_t>(scorer.config.decoder.vocabulary);
    const auto vocabulary = static_cast<std::size_t>(*scorer.config.image_token);
    for (std::size_t i = 0; i <= suffix.size(); ++i)
      EXPECT_LE(relative_rms(std::span(taps.at("logits")).subspan(i * rows, vocabulary),
                             std::span(expected).subspan((prefix.size() - 1 + i) * vocabulary, vocabulary)),
                test::kTapRelativeRms)
          << i;
  }
}

std::vector<BigVisionCase> big_vision_cases() {
  std::vector<BigVisionCase> all;
  for (const std::string& isa : test::runnable_isas())
    for (const char* folder : {"pg1", "pg2", "pg2_27b"}) all.push_back({folder, isa});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, BigVision, ::testing::ValuesIn(big_vision_cases()),
                         [](const auto& info) { return info.param.folder + "_" + info.param.isa; });

}  // namespace
}  // namespace paligemma
