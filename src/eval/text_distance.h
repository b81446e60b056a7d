// How far texts are from what they should be, in characters (code points) and in words.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// The least number of characters, or words, to insert, drop or replace that makes one of the other.
std::size_t edit_distance(std::u32string_view a, std::u32string_view b);
std::size_t edit_distance(std::span<const std::u32string> a, std::span<const std::u32string> b);

// Edits against the length of the reference. Over many texts the two are summed up first, as jiwer does it.
struct ErrorRate {
  std::size_t edits = 0, length = 0;
  // Of an empty reference the edits.
  double value() const {
    return length == 0 ? static_cast<double>(edits) : static_cast<double>(edits) / static_cast<double>(length);
  }
  ErrorRate& operator+=(const ErrorRate& other) {
    edits += other.edits;
    length += other.length;
    return *this;
  }
};

// jiwer's defaults: characters without white space at the ends; words between spaces, where other white space counts as
// part of a word unless there are two of it.
ErrorRate character_errors(std::string_view reference, std::string_view prediction);
ErrorRate word_errors(std::string_view reference, std::string_view prediction);

// Average normalised Levenshtein similarity of one question (DocVQA, https://arxiv.org/abs/1907.00490): the nearest
// answer's 1 - edits / length of the longer text, where that is above .5, else 0. The official evaluation compares
// small letters, big_vision letters as they are.
double anls(std::string_view prediction, std::span<const std::string> answers, bool small_letters);

}  // namespace paligemma
