#include "train/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace paligemma::test {
namespace {

TEST(Recipe, WhatIsWrittenIsRead) {
  Recipe recipe;
  recipe.data = "herd/ \"cows\" \x7f";
  recipe.freeze = {"vision_tower\\..*", "multi_modal_projector\\.linear\\..*"};
  recipe.lr = 3e-5;
  recipe.steps = 120;
  recipe.decay_all = true;
  recipe.mode = "full";
  const std::string text = write_recipe(recipe);
  const Recipe again = read_recipe(text, "recipe.toml");
  EXPECT_EQ(write_recipe(again), text);
  EXPECT_EQ(again.data, recipe.data);
  EXPECT_EQ(again.freeze, recipe.freeze);
  EXPECT_EQ(again.lr, recipe.lr);
  EXPECT_TRUE(again.decay_all);
}

TEST(Recipe, WhatIsNotSaidStaysAsItIs) {
  const Recipe recipe = read_recipe("steps = 7\n", "recipe.toml");
  EXPECT_EQ(recipe.steps, 7);
  EXPECT_EQ(recipe.rank, Recipe().rank);
}

TEST(Recipe, BadOnesAreRefusedWithTheReason) {
  const auto message = [](const std::string& text) {
    try {
      read_recipe(text, "r.toml");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message("stepz = 7"), testing::HasSubstr("unknown setting stepz"));
  EXPECT_THAT(message("steps = 'many'"), testing::HasSubstr("steps: expected a whole number from 0 to"));
  EXPECT_THAT(message("rank = 0"), testing::HasSubstr("rank: expected a whole number from 1 to 1024, got 0"));
  EXPECT_THAT(message("lr = -1.0"), testing::HasSubstr("lr: expected a number from 0 to 100"));
  EXPECT_THAT(message("mode = 'half'"), testing::HasSubstr("mode: expected one of lora, qlora, full, got half"));
  EXPECT_THAT(message("freeze = 'x'"), testing::HasSubstr("freeze: expected a list of text"));
  EXPECT_THAT(message("shuffle = 1"), testing::HasSubstr("shuffle: expected true or false"));
  EXPECT_THAT(message("steps = = 1"), testing::HasSubstr("r.toml: line 1, column"));
  EXPECT_THAT(message("lr = inf"), testing::HasSubstr("finite"));
}

TEST(Recipe, OptionsHaveHyphens) { EXPECT_EQ(option_name("lr_adamw"), "--lr-adamw"); }

}  // namespace
}  // namespace paligemma::test
