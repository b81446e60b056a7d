// Guesses how an answer goes on. Guesses are checked together in one pass through the decoder, which reads the same
// weights for a few rows as for one; a wrong one costs its row and changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/dtype.h"

namespace paligemma {

// What a task makes likely: in `detect` the name of an object behind its four loc tokens, in `segment` behind its
// sixteen seg tokens.
struct DraftHints {
  std::int32_t first_code = 0;                     // of the ids that name follow
  std::int32_t code_count = 0;                     // ids from there on
  std::size_t codes = 0;                           // so many in a row; 0: no names are expected
  std::vector<std::vector<std::int32_t>> names{};  // each with what parts it from the next object: " cow ; "
};

// Up to `most` ids that may follow `answer`: the rest of a name, or what followed the same last ids before. Of the
// names the first that is not there yet, else the last one written.
std::vector<std::int32_t> draft(std::span<const std::int32_t> answer, const DraftHints& hints, std::size_t most);

// Rows of a decode step, with those of drafts, that take little longer than one (docs/performance.md), where the
// decoder has so many bytes of weights.
std::int64_t rows_for_drafts(DType weights, std::size_t bytes);

}  // namespace paligemma
