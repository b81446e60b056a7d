#include "train/code_choice.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <vector>

namespace paligemma::test {
namespace {

// Three codes of two numbers.
const std::vector<float> kChoices{0, 0, 3, 0, 0, 4};

TEST(CodeChoice, IsASoftmaxOverHowNearCodesAre) {
  const std::array feature{1.0f, 0.5f};
  std::array<float, 2> gradient{};
  const CodeChoice choice = choose_code(kChoices, feature, 1, 0.25, 1, gradient);
  EXPECT_EQ(choice.nearest, 0);
  // Squares of distances 1.25, 4.25 and 13.25.
  const double sum = std::exp(-0.25 * 1.25) + std::exp(-0.25 * 4.25) + std::exp(-0.25 * 13.25);
  EXPECT_NEAR(choice.loss, 0.25 * 4.25 + std::log(sum), 1e-6);
}

TEST(CodeChoice, TheGradientIsThatOfAShareOfTheLoss) {
  for (const int label : {0, 1, 2}) {
    const std::array feature{1.1f, 0.7f};
    std::array<float, 2> gradient{}, ignored{};
    choose_code(kChoices, feature, label, 0.3, 0.5, gradient);
    for (std::size_t i = 0; i < 2; ++i) {
      double losses[2];
      for (const int side : {0, 1}) {
        std::array moved = feature;
        moved[i] += side == 0 ? -1e-3f : 1e-3f;
        losses[side] = choose_code(kChoices, moved, label, 0.3, 0.5, ignored).loss;
      }
      EXPECT_NEAR(gradient[i], 0.5 * (losses[1] - losses[0]) / 2e-3, 1e-3) << label << " " << i;
    }
  }
}

TEST(CodeChoice, FarFromItsCodeALossIsFinite) {
  const std::array feature{-1e6f, 1e6f};
  std::array<float, 2> gradient{};
  const CodeChoice choice = choose_code(kChoices, feature, 1, 100, 1, gradient);
  EXPECT_EQ(choice.nearest, 2);
  EXPECT_TRUE(std::isfinite(choice.loss));
  for (const float value : gradient) EXPECT_TRUE(std::isfinite(value));
}

// Of codes 0, 1 and 2 the nearest others are 9, 9 and 16 away, squared; of 0 and 2 both 16.
TEST(CodeChoice, IsAsSharpAsCodesInUseAreNear) {
  EXPECT_NEAR(choice_sharpness(kChoices, 2, std::vector<float>{0, 1, 2, 2, 0}), 6 / (34.0 / 3), 1e-9);
  EXPECT_NEAR(choice_sharpness(kChoices, 2, std::vector<float>{2, 0}), 6 / 16.0, 1e-9);
  EXPECT_EQ(choice_sharpness(kChoices, 2, std::vector<float>{1, 1}), 1);
}

}  // namespace
}  // namespace paligemma::test
