// What may be a word at one place of a text. Of all rules the one that reaches furthest wins, of these the first; how
// far it reaches includes what it wants to see behind the word.
#pragma once

#include <string>

#include "eval/ptb_places.h"

namespace paligemma::ptb {

// How a word is written: a function of what stands in the text. None: nothing is written.
using Form = std::u16string (*)(Text);

std::u16string as_it_is(Text word);
std::u16string without_soft_hyphens(Text word);
std::u16string with_quotes_opening(Text word);  // ' and " open what follows
std::u16string with_quotes_closing(Text word);
std::u16string with_fixed_spaces(Text word);  // a space becomes a no-break space
std::u16string with_plain_ampersand(Text word);

struct Choice {
  std::size_t reach = 0;  // 0: nothing fits
  std::size_t end = 0;    // of the word
  std::size_t next = 0;   // where the text goes on; before `end` where a full stop counts twice
  Form form = nullptr;
};

class Chooser {
 public:
  Chooser(Text text, std::size_t at) : start_(text, at), at_(at) {}

  const Places& start() const { return start_; }
  Text text() const { return start_.text(); }
  std::size_t at() const { return at_; }
  const Choice& best() const { return best_; }

  // A word up to the last of these places.
  void offer(const Places& ends, Form form) {
    if (const auto end = ends.last()) take({.reach = *end, .end = *end, .next = *end, .form = form});
  }
  // The same where `behind` (Places -> Places) fits: as far as word and rest together can reach, the longest word.
  template <class Rule>
  void offer_before(const Places& ends, const Rule& behind, Form form) {
    take(before(ends, behind, form));
  }
  template <class Rule>
  Choice before(const Places& ends, const Rule& behind, Form form) const {
    Choice choice{.form = form};
    for (const std::size_t end : ends.all()) {
      const auto reach = behind(Places(text(), end)).last();
      if (reach && *reach >= choice.reach) choice.reach = *reach, choice.end = choice.next = end;
    }
    return choice;
  }
  void take(const Choice& choice) {
    if (choice.reach > best_.reach && choice.reach > at_) best_ = choice;
  }

 private:
  Places start_;
  std::size_t at_;
  Choice best_;
};

// Parts of rules.
Places tag(const Places& from);                       // <a href="x">
Places word(const Places& from);                      // letters and digits, with single . ! ? inside
Places letters(const Places& from);                   // with accents, without digits
Places number(const Places& from);                    // with a sign
Places clitic(const Places& from);                    // 's 'm 'd 're 've 'll
Places negation(const Places& from);                  // n't
Places acronym(const Places& from, bool one_letter);  // U.S without its last full stop

// The rules, in the order in which they are asked.
void offer_words(Chooser& chooser);
void offer_addresses(Chooser& chooser);
void offer_numbers(Chooser& chooser);
void offer_abbreviations(Chooser& chooser);
void offer_marks(Chooser& chooser);
void offer_compounds(Chooser& chooser);
void offer_quotes_and_blanks(Chooser& chooser);

}  // namespace paligemma::ptb
