// A constant alone, for files that must not include inline functions.
#pragma once

#include <cstdint>

namespace paligemma {

// Elements of a row that share a scale in weights of 8 and 4 bits: GGUF's Q8_0 and Q4_0.
constexpr std::int64_t kQuantBlock = 32;

}  // namespace paligemma
