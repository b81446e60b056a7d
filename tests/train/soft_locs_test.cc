#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "pipeline.h"
#include "train/tokens.h"

namespace paligemma::test {
namespace {

constexpr int kSide = 112, kDivisor = 1023;

double share_of(const SoftTargets& soft, int target, int bin) {
  const SoftTargets::Shares& shares = *soft.find(soft.begin + target);
  const int at = soft.begin + bin - shares.first;
  return at >= 0 && at < std::ssize(shares.shares) ? shares.shares[std::size_t(at)] : 0;
}

class SoftLocs : public ::testing::Test {
 protected:
  SoftTargets soft(double sigma) const { return soft_locs(*pipeline->tokenizer, kDivisor, kSide, sigma); }
  static int bin(int border) { return int(std::lround(double(border) * kDivisor / kSide)); }
  std::unique_ptr<Pipeline> pipeline = open_pipeline({}, {});
};

TEST_F(SoftLocs, AreSharesOfBordersOfPixels) {
  const SoftTargets soft = this->soft(0.8);
  ASSERT_EQ(soft.of.size(), 1024u);
  EXPECT_EQ(soft.begin, *pipeline->tokenizer->loc_begin());
  for (const SoftTargets::Shares& one : soft.of)
    EXPECT_NEAR(std::accumulate(one.shares.begin(), one.shares.end(), 0.0), 1, 1e-5);
  // exp(-d^2 / (2 * .64)) at d = 0, 1, 2, 3: 1, .4578, .0439, .0009, on both sides.
  EXPECT_NEAR(share_of(soft, bin(50), bin(50)), 1 / 2.0052, 1e-3);
  EXPECT_NEAR(share_of(soft, bin(50), bin(51)), 0.4578 / 2.0052, 2e-2);
  EXPECT_NEAR(share_of(soft, bin(50), bin(48)), 0.0439 / 2.0052, 5e-3);
  EXPECT_EQ(share_of(soft, bin(50), bin(50) + 1), 0);  // between two pixels
}

TEST_F(SoftLocs, OfSmallDeviationAreTheNearestBorder) {
  const SoftTargets soft = this->soft(1e-3);
  EXPECT_EQ(share_of(soft, bin(50), bin(50)), 1);
  EXPECT_EQ(share_of(soft, bin(50) + 2, bin(50)), 1);
  EXPECT_EQ(share_of(soft, 0, 0), 1);
  EXPECT_EQ(share_of(soft, 1023, 1023), 1);
}

}  // namespace
}  // namespace paligemma::test
