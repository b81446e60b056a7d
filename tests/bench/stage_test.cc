#include "bench/stage.h"

#include <gtest/gtest.h>

namespace paligemma {
namespace {

MachineLimits limits(double f32, double bf16, double int8, double read) {
  return {.gflops = {spread_of({f32, f32 / 2}), spread_of({bf16}), spread_of({int8})},
          .read_gbs = spread_of({read / 4, read, read / 2})};
}

TEST(Spread, QuantilesLieBetweenSamples) {
  const Spread spread = spread_of({5, 1, 3, 2, 4});
  EXPECT_EQ(spread.samples, 5u);
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.q1, 2);
  EXPECT_EQ(spread.median, 3);
  EXPECT_EQ(spread.q3, 4);
  EXPECT_EQ(spread.max, 5);
  EXPECT_EQ(spread_of({1, 2, 3, 10}).median, 2.5);
  EXPECT_EQ(spread_of({1, 2}).q3, 1.75);
  EXPECT_EQ(spread_of({7}).q1, 7);
  EXPECT_EQ(spread_of({}).samples, 0u);
}

TEST(MachineLimits, AreTheBestOfTheProbes) {
  EXPECT_EQ(limits(200, 400, 800, 50).peak_gbs(), 50);
  EXPECT_EQ(limits(200, 400, 800, 50).peak_gflops(Precision::f32), 200);
  EXPECT_EQ(limits(200, 400, 800, 50).peak_gflops(Precision::bf16), 400);
}

TEST(MachineLimits, ExactArithmeticMayBeTheFasterOne) {
  EXPECT_EQ(limits(466, 242, 800, 50).peak_gflops(Precision::bf16), 466);
}

TEST(Rate, ShareIsOfTheLongerOfProductsAndReading) {
  // 200 ms: 40 GFLOP are 200 a second, 5 GB are 25 a second.
  const Rate products = rate_of({40, 1}, 200, limits(200, 400, 800, 50), Precision::bf16);
  EXPECT_DOUBLE_EQ(products.gflops, 200);
  EXPECT_DOUBLE_EQ(products.gbs, 5);
  EXPECT_DOUBLE_EQ(products.share, 0.5);
  const Rate reading = rate_of({4, 8}, 200, limits(200, 400, 800, 50), Precision::bf16);
  EXPECT_DOUBLE_EQ(reading.share, 0.8);
  EXPECT_DOUBLE_EQ(rate_of({40, 1}, 200, limits(200, 400, 800, 50), Precision::f32).share, 1);
}

TEST(StageTimes, OpsAreSortedByTheirMedians) {
  StageTimes times;
  const auto pass = [](double quick, double slow) {
    return OpClock::Ops{{"quick", {.calls = 3, .seconds = quick, .work = {.gflop = 0.2}}},
                        {"slow", {.calls = 1, .seconds = slow, .work = {.gb = 0.1}}}};
  };
  times.add(7, pass(0.002, 0.004));
  times.add(9, pass(0.009, 0.005));
  times.add(8, pass(0.001, 0.006));
  const BenchStage stage = times.stage("stage", {0.8, 0.2}, limits(100, 200, 300, 50), Precision::bf16);
  EXPECT_EQ(stage.name, "stage");
  EXPECT_EQ(stage.ms.samples, 3u);
  EXPECT_EQ(stage.ms.median, 8);
  EXPECT_DOUBLE_EQ(stage.rate.gflops, 100);
  EXPECT_DOUBLE_EQ(stage.rate.gbs, 25);
  EXPECT_DOUBLE_EQ(stage.rate.share, 0.5);
  ASSERT_EQ(stage.ops.size(), 2u);
  EXPECT_EQ(stage.ops[0].name, "slow");
  EXPECT_EQ(stage.ops[0].ms.median, 5);
  EXPECT_DOUBLE_EQ(stage.ops[0].rate.share, 0.4);  // 20 of 50 GB/s
  EXPECT_EQ(stage.ops[1].calls, 3);
  EXPECT_EQ(stage.ops[1].ms.median, 2);
  EXPECT_DOUBLE_EQ(stage.ops[1].rate.share, 0.5);  // 100 of 200 GFLOP/s
}

}  // namespace
}  // namespace paligemma
