// Numbers, dates, fractions, amounts; addresses of the web, of mail and of people.
#include "eval/ptb_rules.h"

namespace paligemma::ptb {
namespace {

constexpr std::size_t kLongestAddress = 2000;  // characters that are looked at

bool ends_address_part(char16_t c) { return is_one_of(c, u" \t\n\f\r\"<>|()"); }
bool is_address_character(char16_t c) { return !ends_address_part(c); }
bool is_last_of_address(char16_t c) { return !ends_address_part(c) && !is_one_of(c, u".!?{},-"); }
bool is_braceless(char16_t c) { return !ends_address_part(c) && !is_one_of(c, u"{}"); }

// Behind a slash, to the last character that an address may end with.
Places path(const Places& from) {
  return from.one_of(u"/").some(is_address_character, 1, kLongestAddress).one(is_last_of_address);
}

// Parts that each end in a full stop.
template <class Kind>
Places dotted(const Places& from, const Kind& kind) {
  return from.repeat([&](const Places& at) { return at.run(kind).one_of(u"."); }, 1, 50);
}

Places web_address(const Places& from) {
  const auto is_host = [](char16_t c) { return is_last_of_address(c) || c == u'-'; };
  const auto is_small = [](char16_t c) {
    return !ends_address_part(c) && !is_one_of(c, u"`'!?{}$") && !(c >= u',' && c <= u'_');
  };
  const Places host =
      dotted(from.word("www."), is_host).some(is_ascii_letter, 2, 4) | dotted(from, is_small).word("com net org edu");
  return host.maybe(path);
}

Places mail_address(const Places& from) {
  const auto is_name = [](char16_t c) { return is_braceless(c) && c != u'\u00a0'; };
  const auto is_part = [](char16_t c) { return is_braceless(c) && c != u'.' && c != u'\u00a0'; };
  const Places name = from.maybe([](const Places& at) { return at.word("< &lt;"); })
                          .one(is_ascii_alnum)
                          .some(is_name, 0, kLongestAddress)
                          .one_of(u"@");
  const Places host = name.maybe([&](const Places& at) { return dotted(at, is_part); }).run(is_part);
  return host.maybe([](const Places& at) { return at.word("> &gt;"); });
}

Places unsigned_number(const Places& from) {
  const auto part = [](const Places& at) { return at.one_of(u".:,\u00ad\u066b\u066c").run(is_digit); };
  const Places whole = from.run(is_digit);
  Places to = whole | part(from) | part(whole);
  for (Places more = part(to); more.last(); more = part(more)) to = more;  // each is longer
  return to;
}

Places slash(const Places& from) {
  return from.maybe([](const Places& at) { return at.one_of(u"\\"); }).one_of(u"/");
}

Places fraction(const Places& from) {
  const Places with_whole = from.some(is_digit, 1, 4).one_of(u"- \u00a0");
  const Places over = (from | with_whole).some(is_digit, 1, 4);
  return (slash(over) | over.one_of(u"\u2044")).some(is_digit, 1, 4);
}

Places date(const Places& from) {
  return from.some(is_digit, 1, 2).one_of(u"-/").some(is_digit, 1, 2).one_of(u"-/").some(is_digit, 2, 4);
}

// Words with slashes: "and/or", "24-hour/day".
Places slashed(const Places& from) {
  const auto part = [](const Places& at) {
    return at.run(is_ascii_alnum).repeat([](const Places& end) { return end.one_of(u"-").run(is_ascii_letter); }, 0, 2);
  };
  return part(from).repeat([&](const Places& at) { return part(slash(at)); }, 1, 2);
}

std::u16string fraction_in_digits(Text sign) {
  switch (sign[0]) {
    case u'\u00bc': return u"1/4";
    case u'\u00bd': return u"1/2";
    case u'\u00be': return u"3/4";
    case u'\u2153': return u"1/3";
    case u'\u2154': return u"2/3";
    default: return std::u16string(sign);
  }
}

std::u16string currency_of_the_treebank(Text sign) {
  switch (sign[0]) {
    case u'\u00a2': return u"cents";
    case u'\u00a3': return u"#";
    case u'\u0080':
    case u'\u00a4':
    case u'\u20a0':
    case u'\u20ac': return u"$";
    default: return std::u16string(sign);
  }
}

}  // namespace

Places number(const Places& from) { return unsigned_number(from) | unsigned_number(from.one_of(u"-+")); }

void offer_addresses(Chooser& chooser) {
  const Places start = chooser.start();
  const auto is_name = [](char16_t c) { return is_ascii_alnum(c) || c == u'_'; };
  const auto is_name_start = [](char16_t c) { return is_ascii_letter(c) || c == u'_'; };
  chooser.offer(start.word("http:// https://").some(is_braceless, 1, kLongestAddress).one(is_last_of_address),
                as_it_is);
  chooser.offer(web_address(start), as_it_is);
  chooser.offer(mail_address(start), as_it_is);
  chooser.offer(start.one_of(u"@").one(is_name_start).maybe([&](const Places& at) { return at.run(is_name); }),
                as_it_is);
  chooser.offer(letters(start.one_of(u"#")), as_it_is);
}

void offer_numbers(Chooser& chooser) {
  const Places start = chooser.start();
  const auto no_letter = [](const Places& at) { return at.one([](char16_t c) { return !is_ascii_letter(c); }); };
  chooser.offer_before(clitic(start), no_letter, with_quotes_closing);
  chooser.offer_before(negation(start), no_letter, with_quotes_closing);
  chooser.offer(date(start), as_it_is);
  chooser.offer(number(start), without_soft_hyphens);
  const auto is_raised = [](char16_t c) {
    return is_one_of(c, u"\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079");
  };
  const auto is_lowered = [](char16_t c) { return c >= u'\u2080' && c <= u'\u2089'; };
  const Places sign = start.maybe([](const Places& at) { return at.one_of(u"\u207a\u207b\u208a\u208b"); });
  chooser.offer(sign.run(is_raised) | sign.run(is_lowered), as_it_is);
  chooser.offer(fraction(start), with_fixed_spaces);
  chooser.offer(
      start.one([](char16_t c) { return (c >= u'\u00bc' && c <= u'\u00be') || (c >= u'\u2153' && c <= u'\u215e'); }),
      fraction_in_digits);
  chooser.offer(start.word("-rrb- -lrb- -rcb- -lcb- -rsb- -lsb- c.d.s pro- anti- s&p-500 s&amp;p-500 s&ls s&amp;ls") |
                    start.word("cap").apostrophe().word("n") | start.word("c").apostrophe().word("est"),
                with_plain_ampersand);
  chooser.offer(slashed(start), as_it_is);
  chooser.offer(start.maybe([](const Places& at) { return at.run(is_ascii_upper); }).one_of(u"$") | start.one_of(u"#"),
                as_it_is);
  chooser.offer(start.one_of(u"\u00a2\u00a3\u00a4\u00a5\u0080\u20a0\u20a4\u20ac\u060b\u0e3f\uffe0\uffe1\uffe5\uffe6"),
                currency_of_the_treebank);
}

}  // namespace paligemma::ptb
