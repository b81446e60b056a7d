// Constants alone, for files that must not include inline functions.
#pragma once

#include <cstdint>

namespace paligemma {

// Elements of a row that share a scale in weights of 8 and 4 bits: GGUF's Q8_0 and Q4_0.
constexpr std::int64_t kQuantBlock = 32;
// The same of weights of 8 bits that are there for speed (DType::int8).
constexpr std::int64_t kLongBlock = 128;

}  // namespace paligemma
