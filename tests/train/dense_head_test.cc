// What image tokens are asked, and what is learnt from it.
#include "train/dense_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "support/pocket.h"
#include "train/run_settings.h"

namespace paligemma::test {
namespace {

std::size_t place(DenseQuestion question) { return static_cast<std::size_t>(question); }

std::int32_t first_token_of(const Pipeline& pipeline, const std::string& text) {
  return pipeline.tokenizer->encode(text, Specials::text).front();
}

// A picture of 80 x 160 pixels has 8 x 8 tokens of 10 x 20.
TEST(DenseTargets, BelongToWhatCoversMostOfAToken) {
  const auto pipeline = open_pipeline("", {});
  const Tokenizer& tokenizer = *pipeline->tokenizer;
  // The first covers .45 of the four tokens of rows and columns 1 to 2 and has its middle in one of them; the second
  // is smaller than a third of the token that its middle lies in.
  const std::vector<DecodedObject> things = {{"cow", {13, 26, 27, 54}}, {"dog", {41, 101, 45, 105}}};
  const std::vector<DecodedObject> letters = {{"S", {60, 140, 64, 158}}, {"T", {66, 140, 69, 158}}};
  DenseTargets targets;
  add_dense_targets(targets, {80, 160, things, letters}, pipeline->config.vision, tokenizer, 1023, 1000);

  const DenseRows& thing = targets[place(DenseQuestion::thing)];
  ASSERT_EQ(thing.rows.size(), 64u);
  EXPECT_EQ(thing.rows.front(), 1000);
  const std::vector<std::int64_t> cow_rows = {9, 10, 17, 18};
  for (std::int64_t row = 0; row < 64; ++row) {
    const bool cow = std::ranges::find(cow_rows, row) != cow_rows.end();
    const std::int32_t expected = cow         ? first_token_of(*pipeline, " cow")
                                  : row == 44 ? first_token_of(*pipeline, " dog")
                                              : tokenizer.pad();
    EXPECT_EQ(thing.targets[static_cast<std::size_t>(row)], expected) << row;
  }
  const DenseRows& left = targets[place(DenseQuestion::left)];
  EXPECT_EQ(left.rows, (std::vector<std::int64_t>{1009, 1010, 1017, 1018, 1044}));
  EXPECT_EQ(left.targets.front(), *tokenizer.loc_begin() + 166);  // 13 / 80 * 1023 = 166.2
  EXPECT_EQ(targets[place(DenseQuestion::bottom)].targets.back(), *tokenizer.loc_begin() + 671);  // 105 / 160 * 1023
  EXPECT_EQ(targets[place(DenseQuestion::left_letter)].rows, (std::vector<std::int64_t>{1062}));
  EXPECT_EQ(targets[place(DenseQuestion::left_letter)].targets.front(), first_token_of(*pipeline, "S"));
  EXPECT_EQ(targets[place(DenseQuestion::right_letter)].targets.front(), first_token_of(*pipeline, "T"));
}

struct Asking {
  Recipe recipe;
  std::unique_ptr<Trainee> trainee;
  std::optional<Objective> objective;
  Batch batch;

  Asking() {
    recipe.mode = "full", recipe.compute = recipe.weights = "f32", recipe.dense_head = 1, recipe.soft_loc = 0.8;
    trainee = open_trainee(recipe, find_model(recipe.model));
    const Pipeline& pipeline = *trainee->pipeline;
    objective.emplace(*pipeline.backend, pipeline.config, pipeline.network,
                      objective_options(recipe, *trainee, Arena::kChunkBytes));
    const int side = static_cast<int>(pipeline.config.vision.image_size());
    batch.patches = patches_of(pipeline, resize(read_picture(kBeach), side, side, Resize::pillow));
    batch.decoder = false, batch.dense_weight = 0.5;
    const std::vector<DecodedObject> things = {{"cow", {20, 30, 60, 70}}}, letters = {{"S", {80, 80, 90, 96}}};
    add_dense_targets(batch.dense, {side, side, things, letters}, pipeline.config.vision, *pipeline.tokenizer, 1023, 0);
  }
  double loss() { return objective->run(batch, {}, nullptr).dense; }
};

// Beside a difference of losses, and nothing for the table that answers.
TEST(DenseHead, LearnsWhatItIsAsked) {
  Asking asking;
  Parameters& parameters = *asking.trainee->parameters;
  const double dense =
      asking.objective->run(asking.batch, {}, nullptr, [&](Tape& tape) { asking.trainee->train_on(tape); }).dense;
  asking.trainee->finish_gradients();
  // Losses of targets are not shared without a gradient.
  EXPECT_GT(asking.loss(), 0);
  std::size_t checked = 0;
  for (Parameter& p : parameters.all()) {
    if (p.name.find("embed_tokens") != p.name.npos || p.name.find("language_model") != p.name.npos) {
      EXPECT_TRUE(std::ranges::all_of(p.gradient, [](float value) { return value == 0; })) << p.name;
      continue;
    }
    if (!p.name.starts_with(kDenseHeadName) && !p.name.ends_with("linear.weight")) continue;
    // Along its own gradient the loss grows by the square of the gradient's length.
    double square = 0;
    for (const float value : p.gradient) square += static_cast<double>(value) * value;
    ASSERT_GT(square, 0) << p.name;
    const auto step = static_cast<float>(3e-3 / std::sqrt(square));
    const auto moved = [&](float factor) {
      for (std::size_t i = 0; i < p.value.size(); ++i) p.value[i] += factor * step * p.gradient[i];
      asking.trainee->place();
      return asking.objective
          ->run(asking.batch, {}, nullptr,
                [&](Tape& tape) { tape.train(*p.placed, View(p.gradient.data(), p.rows(), p.cols())); })
          .dense;
    };
    const std::vector<float> gradient(p.gradient.begin(), p.gradient.end());
    const auto measured = [&](float factor) {
      const double at = moved(factor);
      std::ranges::copy(gradient, p.gradient.begin());
      return at;
    };
    const double above = measured(1), below = measured(-2);
    measured(1);
    EXPECT_NEAR((above - below) / 2, step * square / 0.5, 0.02 * step * square / 0.5) << p.name;
    ++checked;
  }
  EXPECT_EQ(checked, kDenseQuestions + 1);
  EXPECT_GT(dense, 0);
}

// Beside an answer: gradients are those of both.
TEST(DenseHead, AddsToWhatAnswersTeach) {
  const auto gradients = [](bool answers, double dense_weight) {
    Asking asking;
    const Pipeline& pipeline = *asking.trainee->pipeline;
    asking.batch.decoder = answers, asking.batch.dense_weight = dense_weight;
    for (const char* answer : {"a cow on the beach", "beach"}) {
      const Target target{.prefix = "caption en", .suffix = {{.text = answer}}};
      TokenExample example = tokenize(*pipeline.tokenizer, target, tokenize_options(asking.recipe, pipeline)).example;
      example.pictures = {0}, example.behind = asking.batch.examples.empty() ? -1 : 0;
      asking.batch.examples.push_back(std::move(example));
    }
    asking.objective->run(asking.batch, loss_weights(asking.batch.examples, LossMean::token), nullptr,
                          [&](Tape& tape) { asking.trainee->train_on(tape); });
    std::map<std::string, std::vector<float>> all;
    for (const Parameter& p : asking.trainee->parameters->all())
      all[p.name].assign(p.gradient.begin(), p.gradient.end());
    return all;
  };
  const auto answers = gradients(true, 0), dense = gradients(false, 0.5), both = gradients(true, 0.5);
  for (const auto& [name, values] : both) {
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      error += std::pow(values[i] - answers.at(name)[i] - dense.at(name)[i], 2);
      norm += std::pow(values[i], 2);
    }
    if (!name.ends_with("k_proj.bias")) {  // see pack_test.cc
      EXPECT_LE(error, 1e-9 * norm) << name;
    }
  }
}

}  // namespace
}  // namespace paligemma::test
