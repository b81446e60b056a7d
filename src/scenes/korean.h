// Korean particles, which follow the last sound of the word before them.
#pragma once

#include <string>
#include <string_view>

namespace paligemma::world {

// Whether the last syllable, a Hangul one, ends in a consonant. False for anything else.
bool ends_in_consonant(std::string_view word);

std::string with_topic(std::string_view word);    // 은, 는
std::string with_subject(std::string_view word);  // 이, 가
std::string with_and(std::string_view word);      // 과, 와

}  // namespace paligemma::world
