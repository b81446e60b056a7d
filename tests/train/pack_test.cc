// Examples that go on behind another one's picture.
#include <gtest/gtest.h>

#include <cmath>

#include "support/pocket.h"
#include "train/run_settings.h"

namespace paligemma::test {
namespace {

struct Packing {
  Recipe recipe;
  std::unique_ptr<Trainee> trainee;
  std::optional<Objective> objective;
  Batch batch;
  double loss = 0;

  // Prompts with answers, all about one picture; those after the first go on behind it, or each has all rows.
  Packing(const std::vector<std::pair<std::string, std::string>>& examples, bool pack) {
    recipe.mode = "full";
    recipe.compute = "f32";
    trainee = open_trainee(recipe, find_model(recipe.model));
    const Pipeline& pipeline = *trainee->pipeline;
    objective.emplace(*pipeline.backend, pipeline.config, pipeline.network,
                      objective_options(recipe, *trainee, Arena::kChunkBytes));
    const int side = static_cast<int>(pipeline.config.vision.image_size());
    batch.patches = patches_of(pipeline, resize(read_picture(kBeach), side, side, Resize::pillow));
    for (const auto& [prompt, answer] : examples) {
      const Target target{.prefix = prompt, .suffix = {{.text = answer}}};
      batch.examples.push_back(tokenize(*pipeline.tokenizer, target, tokenize_options(recipe, pipeline)).example);
      batch.examples.back().pictures = {0};
      if (pack && batch.examples.size() > 1) batch.examples.back().behind = 0;
    }
    const auto weights = loss_weights(batch.examples, LossMean::example);
    loss = objective->run(batch, weights, nullptr, [&](Tape& tape) { trainee->train_on(tape); }).loss;
    trainee->finish_gradients();
  }
};

// An image row sees the first example's prompt: with the same prompt nothing differs but the order of sums.
TEST(Pack, OfOnePromptIsTheSame) {
  const std::vector<std::pair<std::string, std::string>> examples = {
      {"detect cow", "<loc0100><loc0200><loc0300><loc0400> cow"}, {"detect cow", "a lion"}, {"detect cow", ""}};
  const Packing apart(examples, false), packed(examples, true);
  EXPECT_NEAR(apart.loss, packed.loss, 1e-6 * apart.loss);
  const std::vector<Parameter>& expected = apart.trainee->parameters->all();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Parameter &a = expected[i], &b = packed.trainee->parameters->all()[i];
    double error = 0, norm = 0;
    for (std::size_t n = 0; n < a.gradient.size(); ++n) {
      error += std::pow(a.gradient[n] - b.gradient[n], 2);
      norm += std::pow(a.gradient[n], 2);
    }
    // What a key's bias adds to scores is the same for all keys, so that its gradient is rounding alone.
    if (!a.name.ends_with("k_proj.bias")) {
      EXPECT_LE(error, 1e-8 * norm) << a.name;
    }
  }
}

// The second one's picture rows saw another prompt, its own rows did not: close, and not the same.
TEST(Pack, OfOtherPromptsIsClose) {
  const std::vector<std::pair<std::string, std::string>> examples = {{"caption en", "a cow on the beach"},
                                                                     {"answer en where is the cow?", "desert"}};
  const Packing apart(examples, false), packed(examples, true);
  EXPECT_NE(apart.loss, packed.loss);
  EXPECT_NEAR(apart.loss, packed.loss, 0.3 * apart.loss);
}

// A picture that three examples share is planned once.
TEST(Pack, IsPlanned) {
  const std::vector<std::pair<std::string, std::string>> examples(3, {"detect cow", "a lion on the beach"});
  const Packing apart(examples, false), packed(examples, true);
  const TokenExample& example = packed.batch.examples.front();
  Recipe recipe = packed.recipe;
  recipe.batch = std::ssize(examples);
  recipe.accumulate = 1;
  recipe.checkpointing = "on";  // as objective_options() had it
  const std::int64_t tokens = packed.trainee->pipeline->config.vision.tokens();
  PlannedRows rows{
      .prompt_tokens = std::ssize(example.prompt) - tokens, .answer_tokens = std::ssize(example.answer), .pictures = 1};
  const auto planned = [&] {
    return static_cast<double>(plan_memory(recipe, find_model(recipe.model), rows).activations);
  };
  const auto packed_bytes = static_cast<double>(packed.objective->most_bytes()),
             apart_bytes = static_cast<double>(apart.objective->most_bytes());
  EXPECT_LT(packed_bytes, 0.7 * apart_bytes);
  EXPECT_NEAR(planned(), packed_bytes, 0.05 * packed_bytes);
  rows.pictures = 0;
  EXPECT_GE(planned(), 0.95 * apart_bytes);
}

}  // namespace
}  // namespace paligemma::test
