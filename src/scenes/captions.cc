#include <algorithm>
#include <array>
#include <functional>

#include "scenes/grammar.h"
#include "scenes/korean.h"
#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr std::array<std::string_view, 5> kNumbers = {"no", "one", "two", "three", "four"};
constexpr std::array<std::string_view, 5> kKoreanNumbers = {"", "한", "두", "세", "네"};

struct Third {
  std::string_view english, korean;
};
constexpr std::array<Third, 3> kThirds = {
    {{"on the left", "왼쪽"}, {"in the middle", "가운데"}, {"on the right", "오른쪽"}}};

const Thing& thing_of(const Group& group) { return things()[static_cast<std::size_t>(group.thing)]; }
const Place& place_of(const Scene& scene) { return places()[static_cast<std::size_t>(scene.backdrop.place)]; }
const Colour& colour_of(int colour) { return colours()[static_cast<std::size_t>(colour)]; }

std::string with_article(std::string_view words) {
  constexpr std::string_view kVowels = "aeiou";
  return std::string(kVowels.find(words[0]) == kVowels.npos ? "a " : "an ").append(words);
}

// "a, b and c".
std::string enumerated(const std::vector<std::string>& phrases) {
  std::string text;
  for (std::size_t i = 0; i < phrases.size(); ++i)
    text += (i == 0 ? "" : i + 1 == phrases.size() ? " and " : ", ") + phrases[i];
  return text;
}

std::string korean_enumerated(const std::vector<Group>& groups) {
  std::string text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::string phrase = korean_phrase_of(groups[i]);
    text += i + 1 < groups.size() ? with_and(phrase) + " " : with_subject(phrase);
  }
  return text;
}

std::vector<std::string> phrases_of(const std::vector<Group>& groups,
                                    const std::function<std::string(const Group&)>& phrase) {
  std::vector<std::string> phrases;
  for (const Group& group : groups) phrases.push_back(phrase(group));
  return phrases;
}

std::string bare_phrase(const Group& group) {
  const std::string phrase = phrase_of(group);
  return group.count == 1 ? phrase.substr(phrase.find(' ') + 1) : phrase;
}

std::string in_place(const Scene& scene) {
  return std::string(place_of(scene).preposition).append(" ").append(place_of(scene).name);
}

// The figures but for the sign whose box's middle is in a third of the width.
std::vector<Figure> figures_in_third(const Scene& scene, std::size_t third) {
  std::vector<Figure> found;
  for (const Figure& figure : scene.figures) {
    const int twice_middle = figure.box[0] + figure.box[2];
    const auto at = static_cast<std::size_t>(std::min(twice_middle * 3 / (2 * scene.side), 2));
    if (at == third && figure.thing != static_cast<int>(sign_place()))
      found.push_back({.thing = figure.thing, .colour = figure.colour});
  }
  return found;
}

}  // namespace

std::vector<Group> groups_of(const std::vector<Figure>& figures) {
  std::vector<Group> groups;
  for (const Figure& figure : figures) {
    const auto found = std::ranges::find(groups, figure.thing, &Group::thing);
    if (found != groups.end()) {
      ++found->count;
      continue;
    }
    const bool tinted = things()[static_cast<std::size_t>(figure.thing)].hue >= 0;
    groups.push_back({.thing = figure.thing, .colour = tinted ? figure.colour : -1, .count = 1});
  }
  return groups;
}

int count_of(const Scene& scene, int thing) {
  return static_cast<int>(std::ranges::count(scene.figures, thing, &Figure::thing));
}

std::string phrase_of(const Group& group) {
  std::string words(group.count == 1 ? thing_of(group).name : thing_of(group).plural);
  if (group.colour >= 0) words = std::string(colour_of(group.colour).name) + " " + words;
  if (group.count == 1) return with_article(words);
  return std::string(kNumbers[static_cast<std::size_t>(group.count)]) + " " + words;
}

std::string korean_phrase_of(const Group& group) {
  std::string words(thing_of(group).korean);
  if (group.colour >= 0) words = std::string(colour_of(group.colour).korean_adjective) + " " + words;
  if (group.count == 1) return words;
  return words.append(" ")
      .append(kKoreanNumbers[static_cast<std::size_t>(group.count)])
      .append(" ")
      .append(thing_of(group).counter);
}

std::string caption_text(const Scene& scene, std::string_view language) {
  const std::vector<Group> groups = groups_of(scene.figures);
  if (language == "ko") {
    const std::string place = std::string(place_of(scene).korean) + "에 ";
    return groups.empty() ? place + "아무것도 없다" : place + korean_enumerated(groups) + " 있다";
  }
  return (groups.empty() ? "nothing" : enumerated(phrases_of(groups, phrase_of))) + " " + in_place(scene);
}

std::string description_text(const Scene& scene, std::string_view language) {
  const bool korean = language == "ko";
  std::string text = korean ? std::string(place_of(scene).korean) + " 사진이다."
                            : "a picture of " + std::string(place_of(scene).picture) + ".";
  for (std::size_t third = 0; third < kThirds.size(); ++third) {
    const std::vector<Group> groups = groups_of(figures_in_third(scene, third));
    if (groups.empty()) continue;
    if (korean)
      text.append(" ").append(kThirds[third].korean).append("에 ").append(korean_enumerated(groups)).append(" 있다.");
    else
      text.append(" ")
          .append(kThirds[third].english)
          .append(groups[0].count > 1 ? " there are " : " there is ")
          .append(enumerated(phrases_of(groups, phrase_of)))
          .append(".");
  }
  if (scene.board.text.empty()) return text;
  const Colour& colour = colour_of(scene.board.colour);
  if (korean)
    return text.append(" ")
        .append(colour.korean_adjective)
        .append(" 표지판에 ")
        .append(scene.board.text)
        .append(" 글자가 있다.");
  return text.append(" ")
      .append(with_article(std::string(colour.name) + " sign"))
      .append(" says ")
      .append(scene.board.text)
      .append(".");
}

std::string figure_text(const Figure& figure) { return bare_phrase(groups_of({figure}).front()); }

std::string alt_text(const Scene& scene) {
  const std::vector<Group> groups = groups_of(scene.figures);
  if (groups.empty()) return "empty " + std::string(place_of(scene).name);
  return enumerated(phrases_of(groups, bare_phrase)) + " " + in_place(scene);
}

}  // namespace paligemma::world
