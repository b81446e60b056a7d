// What repeated measurements of one thing gave.
#pragma once

#include <cstddef>
#include <vector>

namespace paligemma {

struct Spread {
  std::size_t samples = 0;
  double min = 0, q1 = 0, median = 0, q3 = 0, max = 0;  // q1 to q3 hold the middle half
};

// Between two samples a quantile is interpolated. All zero for none.
Spread spread_of(std::vector<double> samples);

}  // namespace paligemma
