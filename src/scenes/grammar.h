// What can be asked about a scene, and the answers: every task, in English and Korean. docs/world.md has the table.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "data/dice.h"
#include "data/sample.h"
#include "scenes/scene.h"

namespace paligemma::world {

// What a question is about: for tables of results.
enum class Topic {
  caption,
  describe,
  alt,
  ocr,  // of the whole picture
  box,  // what is in it
  where,
  here,
  count,
  animals,
  colour,
  presence,
  side,
  beside,
  sign,  // answers
  detect,
  segment
};
std::string_view topic_name(Topic topic);

struct Question {
  Topic topic = Topic::caption;
  std::string_view language = "en";
  SampleTask task = SampleTask::text;  // text, detect or segment
  std::string prompt{};                // "answer en where is the cow?"
  std::string answer{};                // of text; "" where there is none to read
  std::vector<std::size_t> figures{};  // of detect and segment: the scene's, as the prompt names them, left to right
};

// One question or two of each topic in each language that the scene has an answer for; the dice choose what of.
std::vector<Question> questions(const Scene& scene, Dice& dice);

// The parts, in the order above.
std::string caption_text(const Scene& scene, std::string_view language);
std::string description_text(const Scene& scene, std::string_view language);
std::string alt_text(const Scene& scene);
std::string figure_text(const Figure& figure);  // "red car"
std::vector<Question> answered_questions(const Scene& scene, std::string_view language, Dice& dice);
std::vector<Question> finding_questions(const Scene& scene, Dice& dice);

// Of figures in a scene, by their things in the order in which they are met.
struct Group {
  int thing = 0;
  int colour = -1;  // of a tinted thing
  int count = 0;
};
std::vector<Group> groups_of(const std::vector<Figure>& figures);
int count_of(const Scene& scene, int thing);

// "a cow", "two red cars".
std::string phrase_of(const Group& group);
// "소", "빨간 자동차 두 대".
std::string korean_phrase_of(const Group& group);

}  // namespace paligemma::world
