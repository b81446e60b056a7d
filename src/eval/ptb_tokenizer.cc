#include "eval/ptb_tokenizer.h"

#include <algorithm>

#include "eval/ptb_rules.h"
#include "text/characters.h"

namespace paligemma {
namespace {

using ptb::Text;

std::u16string utf16(std::u32string_view text) {
  std::u16string units;
  for (const char32_t c : text) {
    if (c < 0x10000) {
      units += static_cast<char16_t>(c);
    } else {
      units += static_cast<char16_t>(0xd800 + ((c - 0x10000) >> 10));
      units += static_cast<char16_t>(0xdc00 + ((c - 0x10000) & 0x3ff));
    }
  }
  return units;
}

std::u32string utf32(Text units) {
  std::u32string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const char16_t unit = units[i], next = ptb::character(units, i + 1);
    if (unit < 0xd800 || unit > 0xdfff) {
      text += unit;
    } else if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) {
      text += static_cast<char32_t>(0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00));
      ++i;
    } else {
      text += U'\ufffd';
    }
  }
  return text;
}

// The texts as lines.
std::u16string document_of(std::span<const std::string> texts) {
  std::u16string document;
  for (const std::string& text : texts) {
    if (&text != texts.data()) document += u'\n';
    std::u16string line = utf16(code_points(text));
    std::ranges::replace_if(line, [](char16_t c) { return ptb::is_line_end(c) && c != u'\u0085'; }, u' ');
    document += line;
  }
  return document;
}

// What most words are: ASCII letters before a space. Only words that are split in two would be something else.
ptb::Choice choose_plain(Text text, std::size_t at) {
  const std::size_t end = ptb::end_of_run(text, at, ptb::is_ascii_letter);
  if (end == at || (end < text.size() && !ptb::is_one_of(text[end], u" \n"))) return {};
  const ptb::Places split = ptb::Places(text, at).word("cannot gonna gotta lemme gimme wanna");
  if (split.holds(end)) return {};
  return {.reach = end, .end = end, .next = end, .form = ptb::as_it_is};
}

ptb::Choice choose(Text text, std::size_t at) {
  if (const ptb::Choice plain = choose_plain(text, at); plain.reach > 0) return plain;
  ptb::Chooser chooser(text, at);
  ptb::offer_words(chooser);
  ptb::offer_addresses(chooser);
  ptb::offer_numbers(chooser);
  ptb::offer_abbreviations(chooser);
  ptb::offer_marks(chooser);
  ptb::offer_compounds(chooser);
  ptb::offer_quotes_and_blanks(chooser);
  if (chooser.best().reach > 0) return chooser.best();
  return {.reach = at + 1, .end = at + 1, .next = at + 1, .form = nullptr};  // no word can have this character
}

}  // namespace

std::vector<std::vector<std::string>> ptb_words(std::span<const std::string> texts) {
  const std::u16string document = document_of(texts);
  std::vector<std::vector<std::string>> lines(texts.size());
  std::size_t line = 0;
  for (std::size_t at = 0; at < document.size();) {
    if (document[at] == u'\n') {
      ++line;
      ++at;
      continue;
    }
    const ptb::Choice choice = choose(document, at);
    if (choice.form) {
      const Text word = Text(document).substr(at, choice.end - at);
      lines[line].push_back(utf8(lower_case(utf32(choice.form(word)))));
    }
    at = choice.next;
  }
  return lines;
}

std::vector<std::vector<std::string>> caption_words(std::span<const std::string> texts) {
  constexpr std::string_view kPunctuation[] = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"};
  std::vector<std::vector<std::string>> lines = ptb_words(texts);
  for (std::vector<std::string>& words : lines)
    std::erase_if(words, [&](const std::string& word) {
      return std::ranges::find(kPunctuation, word) != std::end(kPunctuation);
    });
  return lines;
}

}  // namespace paligemma
