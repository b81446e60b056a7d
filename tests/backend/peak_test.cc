// The loops that measure a processor's peak do the arithmetic that they count.
#include "fixture.h"

namespace paligemma {
namespace {

class Peak : public ::testing::TestWithParam<Kernels> {};

constexpr std::int64_t kSteps = 100;

// Every lane of every sum starts at 1, and each step adds `product` to it for each multiply-add of the lane.
void expect_sum(double operations, double multiply_adds_a_lane, double products, float got) {
  const double lanes = operations / (2 * multiply_adds_a_lane * kSteps);
  EXPECT_EQ(lanes, std::round(lanes));
  EXPECT_FLOAT_EQ(got, float(lanes * (1 + products * kSteps)));
}

TEST_P(Peak, OfF32) {
  float sum = 0.25f;  // times 0.5
  const double operations = GetParam().multiply_adds[0](kSteps, &sum);
  expect_sum(operations, 1, 0.125, sum);
}

TEST_P(Peak, OfBf16) {
  float sum = 0.25f;  // where two are multiplied at once the other half of its bits is 0
  const double operations = GetParam().multiply_adds[1](kSteps, &sum);
  const bool pairs = std::string(GetParam().name).find("bf16") != std::string::npos;
  expect_sum(operations, pairs ? 2 : 1, 0.125, sum);
}

TEST_P(Peak, OfBytes) {
  float sum = 3;  // the lowest byte, times 1; the other three are 0
  const double operations = GetParam().multiply_adds[2](kSteps, &sum);
  expect_sum(operations, 4, 3, sum);
}

INSTANTIATE_TEST_SUITE_P(Tables, Peak, ::testing::ValuesIn(tables_to_test()), table_name);

}  // namespace
}  // namespace paligemma
