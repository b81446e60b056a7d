// Random numbers of one sample: what is thrown depends on the seed and the throws before, on no thread and no machine.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"

namespace paligemma {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}

  double share() { return uniform(seed_, thrown_++); }  // in [0, 1)
  double between(double low, double high) { return low + (high - low) * share(); }
  bool chance(double probability) { return share() < probability; }
  // In [0, count), of a count that is small beside 2^53.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(share() * static_cast<double>(count)); }

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t left = values.size(); left > 1; --left) std::swap(values[left - 1], values[below(left)]);
  }

 private:
  std::uint64_t seed_, thrown_ = 0;
};

// A seed that follows from others.
constexpr std::uint64_t seed_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0) {
  return splitmix64(splitmix64(seed, a), b);
}

}  // namespace paligemma
