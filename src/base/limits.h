// A range of numbers, both ends included.
#pragma once

#include <limits>

namespace paligemma {

template <class T>
struct Limits {
  T low, high;
  bool operator==(const Limits&) const = default;
};

// Numbers that become floats: an infinite one would make NaN of everything after it.
inline constexpr double kLargestFloat = std::numeric_limits<float>::max();
inline constexpr Limits<double> kAnyFloat{-kLargestFloat, kLargestFloat};
inline constexpr Limits<double> kFloatFromZero{0, kLargestFloat};
inline constexpr Limits<double> kPositiveFloat{std::numeric_limits<float>::min(), kLargestFloat};

}  // namespace paligemma
