// Words, clitics and tags, and the forms in which words are written.
#include <algorithm>

#include "eval/ptb_rules.h"

namespace paligemma::ptb {
namespace {

constexpr char16_t kSoftHyphen = u'\u00ad';
// So far, in characters, is looked for the end of what may never end.
constexpr std::size_t kLongestTag = 2000, kLongestWord = 200;

bool is_word_character(char16_t c) { return is_letter(c) || is_word_mark(c) || c == kSoftHyphen; }

// Where a letter ends, which may be written as &eacute;.
std::size_t end_of_letter(Text text, std::size_t at) {
  if (at < text.size() && is_word_character(text[at])) return at + 1;
  if (character(text, at) != u'&' || !is_one_of(character(text, at + 1), u"aeiouAEIOU")) return at;
  return Places(text, at + 2).word("acute; grave; uml;").last().value_or(at);
}

std::size_t end_of_letters(Text text, std::size_t at) {
  for (std::size_t next = end_of_letter(text, at); next > at || is_digit(character(text, at));
       next = end_of_letter(text, at))
    at = std::max(next, at + 1);
  return at;
}

std::u16string replaced(Text word, Text set, Text by) {
  std::u16string text;
  for (const char16_t c : word) {
    if (set.find(c) == Text::npos) {
      text += c;
    } else {
      text += by;
    }
  }
  return text;
}

// `word` with `name` (small letters of either case) as `by`.
std::u16string replaced_word(Text word, std::string_view name, Text by) {
  std::u16string text;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t end = end_of_word(word, at, name);
    if (end > at) {
      text += by;
      at = end;
    } else {
      text += word[at++];
    }
  }
  return text;
}

std::u16string with_quotes(Text word, Text one, Text two) {
  std::u16string text = replaced(replaced_word(word, "&apos;", u"'"), u"'", one);
  text = replaced(replaced_word(text, "&quot;", u"\""), u"\"", two);
  text = replaced(text, u"\u0091\u2018\u201b\u2039", u"`");
  text = replaced(text, u"\u0092\u2019\u203a", u"'");
  text = replaced(text, u"\u0093\u201c\u00ab", u"``");
  return replaced(text, u"\u0094\u201d\u00bb", u"''");
}

bool is_tag_character(char16_t c) { return is_ascii_alnum(c) || is_one_of(c, u"_:.-"); }
bool is_plain_space(char16_t c) { return c == u' '; }

Places spaces(const Places& from) {
  return from.maybe([](const Places& at) { return at.run(is_plain_space); });
}

// A value in quotes. In the original one may go on in the next line, which moves all lines after it.
Places quoted(const Places& from, Text quote) {
  const auto is_inside = [=](char16_t c) { return c != quote[0] && c != u'\n'; };
  return from.one_of(quote).some(is_inside, 0, kLongestTag).one_of(quote);
}

// name or name="value", each behind spaces.
Places attributes(const Places& from) {
  const auto attribute = [](const Places& at) {
    const Places name = at.run(is_plain_space).one(is_ascii_letter).some(is_tag_character, 0, kLongestTag);
    const Places value = spaces(spaces(name).one_of(u"="));
    return name | quoted(value, u"'") | quoted(value, u"\"");
  };
  return from.repeat(attribute, 0, 100);
}

// What is split in two: the last `rest` characters are a word of their own.
void offer_without(Chooser& chooser, const Places& ends, std::size_t rest) {
  if (const auto end = ends.last())
    chooser.take({.reach = *end, .end = *end - rest, .next = *end - rest, .form = as_it_is});
}

// "do" before "n't", where the n ends the run of letters and belongs to what follows.
void offer_negated(Chooser& chooser) {
  const Text text = chooser.text();
  const std::size_t run =
      end_of_run(text, chooser.at(), [](char16_t c) { return is_ascii_letter(c) || c == kSoftHyphen; });
  if (run < chooser.at() + 2) return;
  std::size_t last = run - 1;
  while (last > chooser.at() && text[last - 1] == kSoftHyphen) --last;
  if (last == chooser.at() || is_one_of(text[last - 1], u"nN")) return;
  chooser.offer_before(Places(text, run - 1), negation, without_soft_hyphens);
}

// Words that keep their apostrophe: 'n', d', 'em, B'ath, '90s, Hawai'i, c'mon.
void offer_with_apostrophe(Chooser& chooser) {
  const auto is_initial = [](char16_t c) { return c == u'n' || (is_ascii_upper(c) && c != u'I' && c != u'Y'); };
  const auto is_vowel = [](char16_t c) { return is_one_of(c, u"aeiouyAEIOUY"); };
  const auto is_vowel_or_capital = [](char16_t c) { return is_one_of(c, u"aeiou") || is_ascii_upper(c); };
  const auto is_decade = [](char16_t c) { return c >= u'2' && c <= u'9'; };
  const Places start = chooser.start(), behind = start.apostrophe();
  const Places cut_off = behind.word("em til till cause") | behind.one(is_decade).word("0s") |
                         behind.word("n").maybe([](const Places& n) { return n.apostrophe(); });
  const Places ending = start.one_of(u"lLdDjJ").apostrophe() | start.word("dunkin somethin ol").apostrophe();
  const Places inside = start.one(is_initial).apostrophe(true).one(is_letter).run(is_letter) |
                        start.one(is_letter)
                            .some(is_letter, 0, kLongestWord)
                            .one(is_vowel)
                            .apostrophe(true)
                            .one(is_vowel_or_capital)
                            .some(is_letter, 0, kLongestWord) |
                        start.word("o").apostrophe(true).word("o");
  chooser.offer(cut_off | ending | inside | start.word("cont'd cont'd. nor'easter c'mon e'er s'mores ev'ry li'l nat'l"),
                as_it_is);
  chooser.offer_before(start.word("y").apostrophe(), [](const Places& at) { return at.one(is_letter); }, as_it_is);
}

}  // namespace

std::u16string as_it_is(Text word) { return std::u16string(word); }
std::u16string without_soft_hyphens(Text word) {
  const std::u16string rest = replaced(word, u"\u00ad", u"");
  return rest.empty() ? std::u16string(u"-") : rest;
}
std::u16string with_quotes_opening(Text word) { return with_quotes(word, u"`", u"``"); }
std::u16string with_quotes_closing(Text word) { return with_quotes(word, u"'", u"''"); }
std::u16string with_fixed_spaces(Text word) { return replaced(word, u" ", u"\u00a0"); }
std::u16string with_plain_ampersand(Text word) { return replaced_word(word, "&amp;", u"&"); }

Places word(const Places& from) {
  Places to(from.text());
  for (const std::size_t at : from.all()) {
    const Text text = from.text();
    std::size_t end = end_of_letter(text, at);
    if (end == at) continue;
    end = end_of_letters(text, end);
    while (is_one_of(character(text, end), u".!?") && end_of_letter(text, end + 1) > end + 1)
      end = end_of_letters(text, end + 1);
    to = to | Places(text, end);
  }
  return to;
}

Places letters(const Places& from) {
  Places to(from.text());
  for (const std::size_t at : from.all()) {
    std::size_t end = at;
    for (std::size_t next = end_of_letter(from.text(), end); next > end; next = end_of_letter(from.text(), end))
      end = next;
    if (end > at) to = to | Places(from.text(), end);
  }
  return to;
}

Places clitic(const Places& from) { return from.apostrophe().word("s m d re ve ll"); }
Places negation(const Places& from) { return from.word("n").apostrophe(true).word("t"); }

Places tag(const Places& from) {
  const auto is_inside = [](char16_t c) { return c != u'>' && c != u'\n'; };
  const auto is_first = [](char16_t c) { return is_ascii_letter(c) || c == u'-'; };
  const auto slash = [](const Places& at) { return at.one_of(u"/"); };
  const Places open = from.one_of(u"<");
  const Places declaration = open.one_of(u"!?").one(is_first).some(is_inside, 0, kLongestTag);
  const Places begin = attributes(open.one(is_ascii_letter).some(is_tag_character, 0, kLongestTag));
  const Places end = slash(open).one(is_ascii_letter).some(is_tag_character, 0, kLongestTag);
  return (declaration | spaces(spaces(begin).maybe(slash)) | spaces(end)).one_of(u">");
}

void offer_words(Chooser& chooser) {
  const Places start = chooser.start();
  chooser.offer(start.word("c++ c# f#"), as_it_is);
  offer_without(chooser, start.word("cannot 'twas"), 3);
  offer_without(chooser, start.apostrophe().word("tis") | start.word("gonna gotta lemme gimme wanna"), 2);
  chooser.offer(tag(start), with_fixed_spaces);
  chooser.offer(start.one_of(u"\u0096\u0097\u2013\u2014\u2015") | start.word("&md; &mdash; &ndash;"),
                [](Text) { return std::u16string(u"--"); });
  chooser.offer(start.word("&amp;"), with_plain_ampersand);
  chooser.offer(
      start.word("&ht; &tl; &ur; &lr; &qc; &ql; &qr; &odq; &cdq;") | start.word("&#").run(is_ascii_digit).one_of(u";"),
      as_it_is);
  const Places whole = word(start);
  chooser.offer_before(whole, clitic, without_soft_hyphens);
  offer_negated(chooser);
  chooser.offer(whole, without_soft_hyphens);
  offer_with_apostrophe(chooser);
}

}  // namespace paligemma::ptb
