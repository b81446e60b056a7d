#include "text/characters.h"

#include <utf8proc.h>

#include "text/utf8.h"

namespace paligemma {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool has_case(char32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

// What may stand between a letter and the sigma at a word's end.
bool is_passed_over(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return std::u32string_view(U"'.:\u00b7\u2018\u2019\u2024\u2027").find(c) != std::u32string_view::npos;
  }
}

bool ends_word(std::u32string_view text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_passed_over(text[before - 1])) --before;
  if (before == 0 || !has_case(text[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < text.size() && is_passed_over(text[after])) ++after;
  return after == text.size() || !has_case(text[after]);
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      characters.push_back(U'\ufffd');
      ++at;
      continue;
    }
    utf8proc_int32_t c = 0;
    utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at, static_cast<utf8proc_ssize_t>(length),
                     &c);
    characters.push_back(static_cast<char32_t>(c));
    at += length;
  }
  return characters;
}

std::string utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t c : text) {
    utf8proc_uint8_t encoded[4];
    const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), encoded);
    bytes.append(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(length));
  }
  return bytes;
}

std::u32string lower_case(std::u32string_view text) {
  std::u32string lower;
  lower.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == U'\u0130') {
      lower += U"i\u0307";
    } else if (text[i] == U'\u03a3' && ends_word(text, i)) {
      lower += U'\u03c2';
    } else {
      lower += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(text[i])));
    }
  }
  return lower;
}

std::string lower_case(std::string_view text) { return utf8(lower_case(code_points(text))); }

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f) || c == 0x85 || c == 0x2028 || c == 0x2029 ||
         category(c) == UTF8PROC_CATEGORY_ZS;
}

bool is_digit(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

// Every script has its ten digits in a row, one row may follow the other.
int digit_value(char32_t c) {
  char32_t first = c;
  while (first > 0 && is_digit(first - 1)) --first;
  return static_cast<int>((c - first) % 10);
}

bool is_letter(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_upper(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LU; }

std::u32string_view strip(std::u32string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace paligemma
