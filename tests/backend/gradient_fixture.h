// What the tests of gradients share.
#pragma once

#include "fixture.h"

namespace paligemma {

inline View view(std::vector<float>& values, std::int64_t rows) {
  return {values.data(), rows, std::int64_t(values.size()) / rows};
}

// Against the norm of what is expected, as an element may be small by chance. `start` was there before.
inline void expect_added(const std::vector<float>& got, const std::vector<double>& expected, float start,
                         double tolerance) {
  double norm = 0;
  for (const double value : expected) norm += value * value;
  norm = std::sqrt(norm / double(expected.size())) + std::fabs(start);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i] + start, tolerance * (norm + std::fabs(expected[i]))) << i;
}

}  // namespace paligemma
