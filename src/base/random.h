// The random numbers of sampling and training: SplitMix64 (Steele, Lea and Flood 2014), read at any place without what
// came before.
#pragma once

#include <cstdint>

namespace paligemma {

// Output `index` of the generator that was begun with `seed`.
constexpr std::uint64_t splitmix64(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// In [0, 1): the upper 53 bits.
constexpr double uniform(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(splitmix64(seed, index) >> 11) * 0x1p-53;
}

}  // namespace paligemma
