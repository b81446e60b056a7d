// Unicode characters of text, as metrics count and compare them.
#pragma once

#include <string>
#include <string_view>

namespace paligemma {

// The code points of UTF-8 text; a byte that belongs to none is U+FFFD.
std::u32string code_points(std::string_view text);
std::string utf8(std::u32string_view text);

// Small letters, as Python and Java make them: one at the end of a word is the final sigma.
std::u32string lower_case(std::u32string_view text);
std::string lower_case(std::string_view text);

// What Python's str.split() and strip() take for white space.
bool is_space(char32_t c);
bool is_digit(char32_t c);    // a decimal digit of any script
int digit_value(char32_t c);  // of a digit
bool is_letter(char32_t c);   // general category L
bool is_upper(char32_t c);    // Lu

// Without white space at both ends.
std::u32string_view strip(std::u32string_view text);

}  // namespace paligemma
