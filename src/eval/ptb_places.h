// All places of a text that what a rule says may end at: as in an automaton every alternative is followed at once, so
// that the longest match is known whatever the order of alternatives is.
//
//     Places(text, at).some(is_digit, 1, 4).one(is_hyphen).some(is_digit, 1, 4).last()
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "eval/ptb_characters.h"

namespace paligemma::ptb {

inline constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

class Places {
 public:
  explicit Places(Text text) : text_(text) {}
  Places(Text text, std::size_t at) : text_(text), places_{at} {}

  Text text() const { return text_; }
  const std::vector<std::size_t>& all() const { return places_; }
  std::optional<std::size_t> last() const { return places_.empty() ? std::nullopt : std::optional(places_.back()); }
  bool holds(std::size_t place) const { return std::ranges::binary_search(places_, place); }

  // Behind one character of a kind, or of a set.
  template <class Kind>
  Places one(const Kind& kind) const {
    return move([&](std::size_t at, Places& to) {
      if (at < text_.size() && kind(text_[at])) to.add(at + 1);
    });
  }
  Places one_of(Text set) const {
    return one([=](char16_t c) { return is_one_of(c, set); });
  }

  // Behind `least` to `most` characters of a kind.
  template <class Kind>
  Places some(const Kind& kind, std::size_t least = 1, std::size_t most = kAnyNumber) const {
    return move([&](std::size_t at, Places& to) {
      for (std::size_t count = 0;; ++count, ++at) {
        if (count >= least) to.add(at);
        if (count == most || at >= text_.size() || !kind(text_[at])) return;
      }
    });
  }

  // Behind all characters of a kind that follow, of at least one. For what follows that begins with another kind.
  template <class Kind>
  Places run(const Kind& kind) const {
    return move([&](std::size_t at, Places& to) {
      if (const std::size_t end = end_of_run(text_, at, kind); end > at) to.add(end);
    });
  }

  // Behind any of the words between spaces, as end_of_word() compares them.
  Places word(std::string_view words) const {
    return move([&](std::size_t at, Places& to) {
      for (std::string_view rest = words; !rest.empty();) {
        const std::string_view one = rest.substr(0, rest.find(' '));
        if (const std::size_t end = end_of_word(text_, at, one); end > at) to.add(end);
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
      }
    });
  }
  Places apostrophe(bool loose = false) const {
    return move([&](std::size_t at, Places& to) {
      if (const std::size_t end = end_of_apostrophe(text_, at, loose); end > at) to.add(end);
    });
  }

  // Here, or behind what `rule` (Places -> Places) says.
  template <class Rule>
  Places maybe(const Rule& rule) const {
    return *this | rule(*this);
  }
  // Behind `least` to `most` times what it says, which is never nothing.
  template <class Rule>
  Places repeat(const Rule& rule, std::size_t least = 0, std::size_t most = kAnyNumber) const {
    Places to(text_), now = *this;
    for (std::size_t count = 0; !now.places_.empty(); ++count) {
      if (count >= least) to = to | now;
      if (count == most) break;
      now = rule(now);
    }
    return to;
  }

  // Those of both.
  friend Places operator|(const Places& a, const Places& b) {
    Places both(a.text_);
    std::ranges::set_union(a.places_, b.places_, std::back_inserter(both.places_));
    return both;
  }

 private:
  template <class Move>
  Places move(const Move& from) const {
    Places to(text_);
    for (const std::size_t at : places_) from(at, to);
    std::ranges::sort(to.places_);
    const auto [first, last] = std::ranges::unique(to.places_);
    to.places_.erase(first, last);
    return to;
  }
  void add(std::size_t place) { places_.push_back(place); }

  Text text_;
  std::vector<std::size_t> places_;  // ascending
};

}  // namespace paligemma::ptb
