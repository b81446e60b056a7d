// Kinds of characters for eval/ptb_tokenizer.h. Text is UTF-16, as the original reads it: a character beyond U+FFFF is
// two that are of no kind.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace paligemma::ptb {

using Text = std::u16string_view;

// The character at a place, 0 behind the end.
inline char16_t character(Text text, std::size_t at) { return at < text.size() ? text[at] : u'\0'; }

inline bool is_one_of(char16_t c, Text set) { return c != 0 && set.find(c) != Text::npos; }

inline bool is_ascii_letter(char16_t c) { return (c >= u'a' && c <= u'z') || (c >= u'A' && c <= u'Z'); }
inline bool is_ascii_upper(char16_t c) { return c >= u'A' && c <= u'Z'; }
inline bool is_ascii_digit(char16_t c) { return c >= u'0' && c <= u'9'; }
inline bool is_ascii_alnum(char16_t c) { return is_ascii_letter(c) || is_ascii_digit(c); }
inline bool is_space(char16_t c) {
  return c == u' ' || c == u'\t' || c == u'\u00a0' || (c >= u'\u2000' && c <= u'\u200a') || c == u'\u3000';
}
inline bool is_line_end(char16_t c) {
  return (c >= u'\n' && c <= u'\r') || c == u'\u0085' || c == u'\u2028' || c == u'\u2029';
}
inline bool is_blank(char16_t c) { return is_space(c) || is_line_end(c); }
inline bool is_hyphen(char16_t c) { return is_one_of(c, u"-_\u058a\u2010\u2011"); }

bool is_letter(char16_t c);     // of any script
bool is_digit(char16_t c);      // of any script
bool is_upper(char16_t c);      // of any script
bool is_word_mark(char16_t c);  // no letter, but part of a word: accents and vowel signs
bool is_symbol(char16_t c);     // stands alone
inline bool is_alnum(char16_t c) { return is_letter(c) || is_digit(c); }

// Where `word` ends if it stands at a place, else the place itself. A small letter of `word` stands for either case, a
// capital one for itself.
std::size_t end_of_word(Text text, std::size_t at, std::string_view word);

// Where an apostrophe ends, else the place itself: ', the curly one, &apos;. `loose`: opening ones too.
std::size_t end_of_apostrophe(Text text, std::size_t at, bool loose);

// Where characters of a kind end.
template <class Kind>
std::size_t end_of_run(Text text, std::size_t at, const Kind& kind) {
  while (at < text.size() && kind(text[at])) ++at;
  return at;
}

}  // namespace paligemma::ptb
