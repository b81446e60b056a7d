// What the settings of decoding may be.
#pragma once

#include <paligemma/paligemma.h>

#include <cstdint>

#include "base/limits.h"

namespace paligemma {

constexpr Limits<double> kTemperature{0, 100};
constexpr Limits<std::int64_t> kTopK{0, 1 << 20};
constexpr Limits<double> kTopP{0, 1};
constexpr Limits<double> kMinP{0, 1};
constexpr Limits<double> kRepetitionPenalty{0.01, 100};
constexpr Limits<std::int64_t> kBeams{1, 64};
constexpr Limits<double> kLengthPenalty{-10, 10};

// Throws Error{usage, "decoding"} for a value outside its limits and for settings that exclude each other: beams beside
// what changes the choice of a token, a length penalty for a score that has none.
void check_decoding(const Sampling& sampling, const Beams& beams);

}  // namespace paligemma
