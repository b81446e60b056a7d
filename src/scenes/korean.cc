#include "scenes/korean.h"

#include <cstdint>

namespace paligemma::world {
namespace {

// Unicode lays syllables out by their final sound: 28 in a row, the first of them without one.
constexpr std::uint32_t kFirstSyllable = 0xac00, kLastSyllable = 0xd7a3, kFinals = 28;

std::string with_particle(std::string_view word, std::string_view after_consonant, std::string_view after_vowel) {
  return std::string(word).append(ends_in_consonant(word) ? after_consonant : after_vowel);
}

}  // namespace

bool ends_in_consonant(std::string_view word) {
  if (word.size() < 3) return false;
  const auto byte = [&](std::size_t from_end) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(word[word.size() - from_end]));
  };
  const std::uint32_t code = (byte(3) & 0x0f) << 12 | (byte(2) & 0x3f) << 6 | (byte(1) & 0x3f);
  const bool of_three_bytes = byte(3) >> 4 == 0xe && byte(2) >> 6 == 2 && byte(1) >> 6 == 2;
  return of_three_bytes && code >= kFirstSyllable && code <= kLastSyllable && (code - kFirstSyllable) % kFinals != 0;
}

std::string with_topic(std::string_view word) { return with_particle(word, "은", "는"); }
std::string with_subject(std::string_view word) { return with_particle(word, "이", "가"); }
std::string with_and(std::string_view word) { return with_particle(word, "과", "와"); }

}  // namespace paligemma::world
