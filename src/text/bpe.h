// Byte-pair encoding of a stretch of text that holds no fixed pieces.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace paligemma {

// Starts from single characters and merges the neighbours whose piece has the highest score, of equal ones the
// leftmost, until nothing merges; a character that is no piece becomes its bytes. O(n log n). Keeps its memory between
// calls.
class PairMerger {
 public:
  explicit PairMerger(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  // `text`: valid UTF-8, spaces as U+2581, less than 2 GiB. Appends to `ids`.
  void encode(std::string_view text, std::vector<std::int32_t>& ids);

 private:
  struct Symbol {  // text[begin, begin + length); length 0: merged into its left neighbour
    std::int32_t begin = 0, length = 0;
    std::int32_t previous = -1, next = -1;
    std::int32_t id = -1;  // of the piece that a merge made
  };
  struct Candidate {
    float score = 0;
    std::int32_t left = 0;    // symbol
    std::int32_t length = 0;  // of both together: tells a candidate that is out of date
    std::int32_t id = -1;
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : left > other.left;
    }
  };

  bool candidate(std::string_view text, std::int32_t left, Candidate& found) const;
  void split(std::string_view text);
  void merge(std::string_view text);

  const Vocabulary& vocabulary_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;  // a heap, the best in front
};

}  // namespace paligemma
