#include <algorithm>

#include "detect/loc.h"
#include "scenes/grammar.h"
#include "scenes/korean.h"
#include "scenes/world.h"

namespace paligemma::world {
namespace {

using std::string;

// A thing that the scene does not show.
int absent_thing(const Scene& scene, Dice& dice) {
  for (;;) {
    const int thing = static_cast<int>(dice.below(things().size()));
    if (count_of(scene, thing) == 0) return thing;
  }
}

// What is asked about, with the words for it in both languages.
struct Subject {
  int thing = 0, count = 0;
  string name() const { return string(row().name); }
  string plural() const { return string(row().plural); }
  // "is the cow", "are the cows".
  string is_the() const { return count > 1 ? "are the " + plural() : "is the " + name(); }
  string korean() const { return string(row().korean); }
  string counter() const { return string(row().counter); }
  const Thing& row() const { return things()[static_cast<std::size_t>(thing)]; }
};

class Answering {
 public:
  Answering(const Scene& scene, std::string_view language, Dice& dice)
      : scene_(scene), language_(language), korean_(language == "ko"), dice_(dice), groups_(groups_of(scene.figures)) {}

  std::vector<Question> all() {
    ask_where();
    ask_count();
    ask_colour();
    ask_presence();
    ask_sides();
    ask_beside();
    if (!scene_.board.text.empty())
      add(Topic::sign, korean_ ? "표지판에 뭐라고 쓰여 있나요?" : "what does the sign say?", scene_.board.text);
    return std::move(asked_);
  }

 private:
  void add(Topic topic, const string& question, string answer) {
    asked_.push_back({.topic = topic,
                      .language = language_,
                      .prompt = "answer " + string(language_) + " " + question,
                      .answer = std::move(answer)});
  }

  Subject any_shown() {
    const Group& group = groups_[dice_.below(groups_.size())];
    return {group.thing, group.count};
  }

  string name_of(const Figure& figure) const {
    const Thing& thing = things()[static_cast<std::size_t>(figure.thing)];
    return string(korean_ ? thing.korean : thing.name);
  }

  string place() const {
    const Place& place = places()[static_cast<std::size_t>(scene_.backdrop.place)];
    return string(korean_ ? place.korean : place.name);
  }

  void ask_where() {
    add(Topic::here, korean_ ? "여기는 어디인가요?" : "where is this?", place());
    if (groups_.empty()) return;
    const Subject one = any_shown();
    const bool stands = one.row().stand == Stand::ground && dice_.chance(0.5);
    add(Topic::where,
        korean_ ? with_topic(one.korean()) + " 어디에 있나요?"
                : "where " + one.is_the() + (stands ? " standing?" : "?"),
        place());
  }

  void ask_count() {
    const bool shown = !groups_.empty() && dice_.chance(0.8);
    const Subject one = shown ? any_shown() : Subject{absent_thing(scene_, dice_), 0};
    add(Topic::count,
        korean_ ? with_subject(one.korean()) + " 몇 " + one.counter() + " 있나요?"
                : "how many " + one.plural() + " are there?",
        std::to_string(one.count));
    const auto animals = std::ranges::count_if(
        scene_.figures, [](const Figure& figure) { return things()[static_cast<std::size_t>(figure.thing)].animal; });
    add(Topic::animals, korean_ ? "동물이 몇 마리 있나요?" : "how many animals are there?", std::to_string(animals));
  }

  void ask_colour() {
    std::vector<const Figure*> coloured;
    for (const Figure& figure : scene_.figures)
      if (figure.colour >= 0) coloured.push_back(&figure);
    if (coloured.empty()) return;
    const Figure& figure = *coloured[dice_.below(coloured.size())];
    const Subject one{figure.thing, count_of(scene_, figure.thing)};
    const Colour& colour = colours()[static_cast<std::size_t>(figure.colour)];
    add(Topic::colour, korean_ ? with_topic(one.korean()) + " 무슨 색인가요?" : "what color " + one.is_the() + "?",
        string(korean_ ? colour.korean : colour.name));
  }

  void ask_presence() {
    for (const bool shown : {true, false}) {
      if (shown && groups_.empty()) continue;
      const Subject one = shown ? any_shown() : Subject{absent_thing(scene_, dice_), 0};
      const bool vowel = string("aeiou").find(one.name()[0]) != string::npos;
      add(Topic::presence,
          korean_ ? with_subject(one.korean()) + " 있나요?"
                  : string("is there ") + (vowel ? "an " : "a ") + one.name() + "?",
          korean_ ? (shown ? "네" : "아니요") : (shown ? "yes" : "no"));
    }
  }

  void ask_sides() {
    if (scene_.figures.empty()) return;
    add(Topic::side, korean_ ? "왼쪽에 무엇이 있나요?" : "what is on the left?", name_of(scene_.figures.front()));
    add(Topic::side, korean_ ? "오른쪽에 무엇이 있나요?" : "what is on the right?", name_of(scene_.figures.back()));
  }

  // Of a thing that is the only one of its kind, and what is next to it.
  void ask_beside() {
    struct Pair {
      std::size_t one, other;
    };
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i + 1 < scene_.figures.size(); ++i)
      for (const Pair& pair : {Pair{i, i + 1}, Pair{i + 1, i}})
        if (count_of(scene_, scene_.figures[pair.one].thing) == 1) pairs.push_back(pair);
    if (pairs.empty()) return;
    const auto [one, other] = pairs[dice_.below(pairs.size())];
    const string name = name_of(scene_.figures[one]);
    const bool left = other < one;
    add(Topic::beside,
        korean_ ? name + (left ? " 왼쪽에" : " 오른쪽에") + " 무엇이 있나요?"
                : string("what is ") + (left ? "left" : "right") + " of the " + name + "?",
        name_of(scene_.figures[other]));
  }

  const Scene& scene_;
  std::string_view language_;
  bool korean_;
  Dice& dice_;
  std::vector<Group> groups_;
  std::vector<Question> asked_;
};

// "detect a ; b" and the figures that it finds.
Question finding(const Scene& scene, SampleTask task, const std::vector<int>& asked) {
  const bool masks = task == SampleTask::segment;
  Question question{
      .topic = masks ? Topic::segment : Topic::detect, .task = task, .prompt = masks ? "segment" : "detect"};
  for (std::size_t i = 0; i < asked.size(); ++i) {
    question.prompt.append(i == 0 ? " " : " ; ").append(things()[static_cast<std::size_t>(asked[i])].name);
    for (std::size_t j = 0; j < scene.figures.size(); ++j)
      if (scene.figures[j].thing == asked[i]) question.figures.push_back(j);
  }
  return question;
}

// "caption <loc0010>..." for what is in a figure's box.
Question naming(const Scene& scene, const Figure& figure) {
  std::array<double, 4> box{};
  std::ranges::copy(figure.box, box.begin());
  return {.topic = Topic::box,
          .prompt = "caption " + loc_text(loc_of(box, {.width = scene.side, .height = scene.side})),
          .answer = figure_text(figure)};
}

// One to `most` things that the scene shows, and with a chance one that it does not among them, or that alone.
std::vector<int> asked_things(const Scene& scene, std::size_t most, double absent_beside, double absent_alone,
                              Dice& dice) {
  std::vector<int> asked;
  for (const Group& group : groups_of(scene.figures)) asked.push_back(group.thing);
  dice.shuffle(asked);
  asked.resize(std::min(asked.size(), 1 + dice.below(most)));
  const bool alone = dice.chance(absent_alone), beside = dice.chance(absent_beside);
  const int absent = absent_thing(scene, dice);
  if (alone || asked.empty()) return {absent};
  if (beside && asked.size() < most)
    asked.push_back(absent);
  else if (beside)
    asked.back() = absent;
  dice.shuffle(asked);
  return asked;
}

}  // namespace

std::vector<Question> answered_questions(const Scene& scene, std::string_view language, Dice& dice) {
  return Answering(scene, language, dice).all();
}

std::vector<Question> finding_questions(const Scene& scene, Dice& dice) {
  Question one = finding(scene, SampleTask::detect, asked_things(scene, 3, 0.3, 0.03, dice));
  Question other = finding(scene, SampleTask::detect, asked_things(scene, 3, 0.3, 0.08, dice));
  Question masks = finding(scene, SampleTask::segment, asked_things(scene, 1, 0, 0.08, dice));
  std::vector<Question> all{std::move(one)};
  if (other.prompt != all[0].prompt) all.push_back(std::move(other));
  all.push_back(std::move(masks));
  return all;
}

std::vector<Question> questions(const Scene& scene, Dice& dice) {
  std::vector<Question> all;
  for (const std::string_view language : {"en", "ko"}) {
    const string end = string(1, ' ').append(language);
    all.push_back({.topic = Topic::caption,
                   .language = language,
                   .prompt = "caption" + end,
                   .answer = caption_text(scene, language)});
    all.push_back({.topic = Topic::describe,
                   .language = language,
                   .prompt = "describe" + end,
                   .answer = description_text(scene, language)});
  }
  all.push_back({.topic = Topic::alt, .prompt = "cap en", .answer = alt_text(scene)});
  all.push_back({.topic = Topic::ocr, .prompt = "ocr", .answer = scene.board.text});
  if (!scene.figures.empty()) all.push_back(naming(scene, scene.figures[dice.below(scene.figures.size())]));
  for (const std::string_view language : {"en", "ko"})
    std::ranges::move(answered_questions(scene, language, dice), std::back_inserter(all));
  std::ranges::move(finding_questions(scene, dice), std::back_inserter(all));
  return all;
}

std::string_view topic_name(Topic topic) {
  constexpr std::string_view kNames[] = {"caption", "describe", "alt",     "ocr",    "box",      "where",
                                         "here",    "count",    "animals", "colour", "presence", "side",
                                         "beside",  "sign",     "detect",  "segment"};
  return kNames[static_cast<std::size_t>(topic)];
}

}  // namespace paligemma::world
