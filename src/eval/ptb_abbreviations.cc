// Abbreviations, whose full stop belongs to the word and may end a sentence as well: it then counts twice.
#include "eval/ptb_rules.h"

namespace paligemma::ptb {
namespace {

// Small letters stand for either case. After these a capital letter begins a sentence.
constexpr std::string_view kEndingSentences =
    "jan. feb. mar. apr. jun. jul. aug. sep. sept. oct. nov. dec. mon. tue. tues. wed. thu. thurs. fri. ala. ariz. Az. "
    "Ark. "
    "calif. colo. conn. ct. dak. Del. fla. ga. Ill. ind. kan. kans. ky. La. Mass. md. mich. minn. Miss. mo. mont. neb. "
    "nev. okla. Ore. Pa. penn. tenn. Tex. va. vt. Wash. wis. wisc. wyo. inc. co. cos. corp. pte. ptes. pty. ptys. "
    "ppte. "
    "pptes. ppty. pptys. ltd. plc. rt. bancorp. bhd. assn. univ. intl. sys. tel. est. ext. sq. jr. sr. bros. ed.d. "
    "ph.d. "
    "blvd. rd. esq. etc. al. seq. bldg.";

// After these one is part of the sentence: titles before all.
constexpr std::string_view kInSentences =
    "mr mrs ms Miss dr drs prof profs sen sens rep reps atty attys lt col gen messrs gov govs adm rev maj sgt cpl pvt "
    "capt "
    "st ste ave pres lieut hon brig cmdr comdr pfc spc supt supts det mt ft adj adv asst assoc ens insp mlle mme msgr "
    "sfc "
    "vs alex wm jos cie a.k.a cf treas ph invt elec natl mfg mtg dept";

constexpr std::string_view kBeforeNumbers = "ca. no. nos. op. pp. art. fig. figs. prop.";

// What begins a sentence and hardly ever follows an acronym inside of one.
constexpr std::string_view kSentenceStarts =
    "A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Mr. Ms. Now "
    "Once "
    "One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You";

// `words` as they stand.
Places exact_word(const Places& from, std::string_view words) {
  Places to(from.text());
  for (const std::size_t at : from.all())
    for (std::string_view rest = words; !rest.empty();) {
      const std::string_view one = rest.substr(0, rest.find(' '));
      const Text there = from.text().substr(at, one.size());
      if (std::ranges::equal(there, one, [](char16_t a, char b) { return a == static_cast<char16_t>(b); }))
        to = to | Places(from.text(), at + one.size());
      rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    }
  return to;
}

Places blank(const Places& from) { return from.one(is_blank); }

// One blank, and another one or what begins a sentence.
Places sentence_start(const Places& from) {
  const Places at = blank(from);
  return blank(at) | at.one(is_upper) | tag(at);
}

Places word_of_sentence_start(const Places& from) {
  const Places at = from.run(is_blank);
  return blank(exact_word(at, kSentenceStarts) | tag(at));
}

// The word with its full stop, which comes again.
Choice with_stop_again(Choice choice) {
  if (choice.reach > 0) choice.next = choice.end - 1;
  return choice;
}

// U.S. before "The".
void offer_acronym_at_end(Chooser& chooser) {
  Choice choice = chooser.before(acronym(chooser.start(), true).one_of(u"."), word_of_sentence_start, as_it_is);
  if (choice.reach == 0) return;
  choice = with_stop_again(choice);
  if (choice.end == chooser.at() + 2) choice.end = choice.next;  // the I of "I. The" is no abbreviation
  chooser.take(choice);
}

}  // namespace

Places acronym(const Places& from, bool one_letter) {
  const Places letters =
      from.one(is_ascii_letter)
          .repeat([](const Places& at) { return at.one_of(u".").one(is_ascii_letter); }, one_letter ? 0 : 1, 50);
  return letters | from.word("canada-u.s sino-u.s korean-u.s eu-u.s japan-u.s non-u.s") |
         from.word("u.s.-").word("u.k u.s.s.r");
}

void offer_abbreviations(Chooser& chooser) {
  const Places start = chooser.start();
  offer_acronym_at_end(chooser);
  chooser.offer_before(
      start.word(kBeforeNumbers), [](const Places& at) { return at.maybe(blank).one(is_digit); }, as_it_is);
  chooser.offer_before(
      start.word("pte. pty. co."), [](const Places& at) { return at.one(is_space).word("ltd lim"); }, as_it_is);
  const Places ending = start.word(kEndingSentences);
  chooser.take(with_stop_again(chooser.before(ending, sentence_start, as_it_is)));
  const auto two_more = [](const Places& at) { return at.some([](char16_t) { return true; }, 2, 2); };
  chooser.offer_before(ending, two_more, as_it_is);
  chooser.take(with_stop_again(chooser.before(ending, [](const Places& at) { return at; }, as_it_is)));
  const Places inside = start.word(kInSentences) | acronym(start, true);
  chooser.offer(inside.one_of(u"."), as_it_is);
  chooser.offer_before(inside, [](const Places& at) { return at.one(is_space); }, as_it_is);
  chooser.offer_before(acronym(start, true), blank, as_it_is);
  chooser.offer_before(start.apostrophe().some(is_ascii_digit, 2, 2), blank, as_it_is);
}

}  // namespace paligemma::ptb
