// Punctuation, brackets, quotes, smileys, telephone numbers, and words that are made of several.
#include "eval/ptb_rules.h"

namespace paligemma::ptb {
namespace {

std::u16string written(Text text) { return std::u16string(text); }

bool is_sentence_mark(char16_t c) { return is_one_of(c, u",;:\u3001"); }
Places sentence_mark(const Places& from) { return from.one(is_sentence_mark); }

std::u16string with_named_parentheses(Text word) {
  std::u16string text;
  for (const char16_t c : word) {
    if (c == u'(' || c == u')') {
      text += c == u'(' ? u"-LRB-" : u"-RRB-";
    } else {
      text += c;
    }
  }
  return text;
}

std::u16string telephone_number(Text word) { return with_fixed_spaces(with_named_parentheses(word)); }

std::u16string named_bracket(Text bracket) {
  switch (bracket[0]) {
    case u'(': return written(u"-LRB-");
    case u')': return written(u"-RRB-");
    case u'[': return written(u"-LSB-");
    case u']': return written(u"-RSB-");
    case u'{': return written(u"-LCB-");
    default: return written(u"-RCB-");
  }
}

std::u16string dashes(Text word) { return word.size() == 3 || word.size() == 4 ? written(u"--") : written(word); }

Places telephone(const Places& from) {
  const auto digits = [](const Places& at, std::size_t least, std::size_t most) {
    return at.some(is_ascii_digit, least, most);
  };
  const auto gap = [](const Places& at) { return at.one_of(u"- \u00a0"); };
  const Places plus = from.maybe(
      [](const Places& at) { return at.one_of(u"+").maybe([](const Places& one) { return one.one_of(u"+"); }); });
  const Places area =
      digits(from.one_of(u"("), 2, 3).one_of(u")").maybe([](const Places& at) { return at.one_of(u" \u00a0"); });
  const Places codes = gap(digits(plus.maybe([&](const Places& at) { return gap(digits(at, 2, 4)); }), 2, 4));
  const Places spaced = digits(digits(area | codes, 3, 4).maybe(gap), 3, 5);
  const auto dot = [](const Places& at) { return at.one_of(u"."); };
  const Places country = from | dot(digits(plus, 2, 4));
  return spaced | digits(dot(digits(dot(digits(country, 2, 4)), 3, 4)), 3, 5);
}

Places smiley(const Places& from) {
  return from.maybe([](const Places& at) { return at.one_of(u"<>"); })
      .one_of(u":;=")
      .maybe([](const Places& at) { return at.one_of(u"-o*'"); })
      .one_of(u"()DPdpO\\{@|[]");
}

Places face(const Places& from) {
  constexpr Text kEyes = u"-^x=~<>'";
  const Places open = from.one_of(u"("), eye = open.one_of(kEyes);
  return from.one_of(kEyes).one_of(u"_").one_of(kEyes) |
         eye.maybe([](const Places& at) { return at.one_of(u"_."); }).one_of(kEyes).one_of(u")") |
         open.one_of(u"^x=~<>'").one_of(u"-").one_of(u"^x=~<>'`").one_of(u")");
}

// Dots that are an ellipsis, with spaces between or without.
Places ellipsis(const Places& from) {
  const auto is_dot = [](char16_t c) { return c == u'.'; };
  const auto spaced = [](const Places& at) { return at.one_of(u".").one_of(u" \u00a0"); };
  return from.some(is_dot, 3, 5) | from.repeat(spaced, 2, 4).one_of(u".") | from.one_of(u"\u0085\u2026");
}

// 1.jpg
Places file_name(const Places& from) {
  const auto is_part = [](char16_t c) { return is_alnum(c) || is_word_mark(c) || c == u'\u00ad'; };
  const Places name = from.run(is_part).repeat([&](const Places& at) { return at.one_of(u".").run(is_part); }, 0, 100);
  return name.one_of(u".").word(
      "bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py "
      "sql "
      "tar txt wav x xml zip");
}

// d'Avignon-x, x_1
Places joined(const Places& from) {
  const auto particle = [](const Places& at) { return at.one_of(u"dDoOlL").apostrophe(true).one(is_alnum); };
  const auto part = [&](const Places& at) { return at.maybe(particle).run(is_alnum); };
  return part(from).repeat([&](const Places& at) { return part(at.one(is_hyphen)); }, 0, 100);
}

// Hyphenated, with numbers and acronyms: 5-a.m., 1,000-year
Places hyphenated(const Places& from) {
  const auto is_first = [](char16_t c) { return is_ascii_alnum(c) || is_one_of(c, u".,\u00ad"); };
  const auto is_next = [](char16_t c) { return is_ascii_alnum(c) || c == u'\u00ad'; };
  const Places first = from.one(is_ascii_alnum).maybe([&](const Places& at) { return at.run(is_first); });
  return first.repeat(
      [&](const Places& at) {
        const Places hyphen = at.one_of(u"-");
        return hyphen.run(is_next) | acronym(hyphen, false).one_of(u".");
      },
      1, 100);
}

// AT&T
Places joined_capitals(const Places& from) {
  return from.run(is_ascii_upper)
      .repeat([](const Places& at) { return (at.one_of(u"+&") | at.word("&amp;")).run(is_ascii_upper); }, 1, 100);
}

}  // namespace

void offer_marks(Chooser& chooser) {
  const Places start = chooser.start();
  const auto is_outside = [](char16_t c) { return !is_ascii_alnum(c); };
  chooser.offer_before(
      file_name(start),
      [](const Places& at) { return at.one([](char16_t c) { return is_blank(c) || is_one_of(c, u".?!,"); }); },
      as_it_is);
  chooser.offer_before(word(start).one_of(u"."), sentence_mark, without_soft_hyphens);
  chooser.offer(telephone(start), telephone_number);
  const Places quote = start.one_of(u"\"") | start.word("&quot;");
  chooser.offer_before(
      quote, [](const Places& at) { return at.one([](char16_t c) { return is_ascii_alnum(c) || c == u'$'; }); },
      with_quotes_opening);
  chooser.offer(quote, with_quotes_closing);
  chooser.offer(start.word("< &lt;"), [](Text) { return written(u"<"); });
  chooser.offer(start.word("> &gt;"), [](Text) { return written(u">"); });
  chooser.offer_before(smiley(start), [&](const Places& at) { return at.one(is_outside); }, with_named_parentheses);
  chooser.offer(face(start), with_named_parentheses);
  chooser.offer(start.one_of(u"()[]{}"), named_bracket);
  chooser.offer(start.run([](char16_t c) { return c == u'-'; }), dashes);
  chooser.offer(ellipsis(start), [](Text) { return written(u"..."); });
  for (const Text mark : {Text(u"@"), Text(u"#"), Text(u"_"), Text(u"*"), Text(u"?!")})
    chooser.offer(start.run([&](char16_t c) { return is_one_of(c, mark); }), as_it_is);
  chooser.offer(start.repeat([](const Places& at) { return at.word("\\*"); }, 1, 3), as_it_is);
  chooser.offer(start.one_of(u",;:\u3001.=/"), as_it_is);
}

void offer_compounds(Chooser& chooser) {
  const Places start = chooser.start();
  const Places with_hyphens = hyphenated(start), parts = joined(start), capitals = joined_capitals(start);
  chooser.offer(with_hyphens, without_soft_hyphens);
  chooser.offer_before(with_hyphens.one_of(u"."), sentence_mark, without_soft_hyphens);
  chooser.offer_before(parts.one_of(u"."), sentence_mark, as_it_is);
  chooser.offer(parts, as_it_is);
  chooser.offer_before(capitals.one_of(u"."), sentence_mark, with_plain_ampersand);
  chooser.offer(capitals, with_plain_ampersand);
}

void offer_quotes_and_blanks(Chooser& chooser) {
  const Places start = chooser.start();
  const auto is_quote = [](char16_t c) {
    return (c >= u'\u2018' && c <= u'\u201f') || (c >= u'\u0091' && c <= u'\u0094') ||
           is_one_of(c, u"`\u2039\u203a\u00ab\u00bb");
  };
  const Places quote = start.apostrophe() | start.word("''") | start.some(is_quote, 1, 2);
  const auto letter_and_more = [](const Places& at) {
    return at.one(is_ascii_letter).one([](char16_t c) { return !is_one_of(c, u" \t\u00a0\r\n"); });
  };
  chooser.offer_before(start.one_of(u"'"), letter_and_more, with_quotes_opening);
  chooser.offer(quote, with_quotes_closing);
  chooser.offer(clitic(start), with_quotes_closing);
  chooser.offer(negation(start), with_quotes_closing);
  chooser.offer(start.word("<< >>"), as_it_is);
  chooser.offer(start.one(is_symbol), as_it_is);
  chooser.offer(start.run(is_space) | start.word("&nbsp;"), nullptr);
}

}  // namespace paligemma::ptb
