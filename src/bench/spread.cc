#include "bench/spread.h"

#include <algorithm>

namespace paligemma {

Spread spread_of(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::ranges::sort(samples);
  const auto quantile = [&](double part) {
    const double place = part * static_cast<double>(samples.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, samples.size() - 1);
    return samples[below] + (place - static_cast<double>(below)) * (samples[above] - samples[below]);
  };
  return {samples.size(), samples.front(), quantile(.25), quantile(.5), quantile(.75), samples.back()};
}

}  // namespace paligemma
