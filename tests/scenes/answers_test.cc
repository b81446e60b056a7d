// Questions with their answers, and what is looked for.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "test_scenes.h"
#include "text/prompt.h"

namespace paligemma::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using world::Question;
using world::Topic;

std::vector<Question> asked_of(const world::Scene& scene, std::uint64_t seed) {
  Dice dice(seed);
  return world::questions(scene, dice);
}

// All that is ever asked about a scene: prompts with their answers.
std::map<std::string, std::string> all_answers(const world::Scene& scene) {
  std::map<std::string, std::string> answers;
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    for (const Question& question : asked_of(scene, seed))
      if (question.task == SampleTask::text) {
        const auto [at, is_new] = answers.emplace(question.prompt, question.answer);
        EXPECT_EQ(at->second, question.answer) << question.prompt;
      }
  return answers;
}

TEST(Answers, OfABeach) {
  const std::map<std::string, std::string> answers = all_answers(beach_scene());
  const std::pair<const char*, const char*> expected[] = {
      {"ocr", "STOP"},
      {"answer en where is this?", "beach"},
      {"answer en where is the cow?", "beach"},
      {"answer en where is the cow standing?", "beach"},
      {"answer en where are the cars?", "beach"},
      {"answer en how many cows are there?", "1"},
      {"answer en how many cars are there?", "2"},
      {"answer en how many tigers are there?", "0"},
      {"answer en how many animals are there?", "1"},
      {"answer en what color are the cars?", "red"},
      {"answer en what color is the sign?", "blue"},
      {"answer en is there a cow?", "yes"},
      {"answer en is there an elephant?", "no"},
      {"answer en what is on the left?", "cow"},
      {"answer en what is on the right?", "sign"},
      {"answer en what is right of the cow?", "car"},
      {"answer en what is left of the sign?", "car"},
      {"answer en what does the sign say?", "STOP"},
      {"caption <loc0548><loc0457><loc0731><loc0566>", "red car"},  // 60 / 112 * 1023 = 548.04 ...
      {"answer ko 여기는 어디인가요?", "해변"},
      {"answer ko 소는 어디에 있나요?", "해변"},
      {"answer ko 소가 몇 마리 있나요?", "1"},
      {"answer ko 자동차가 몇 대 있나요?", "2"},
      {"answer ko 동물이 몇 마리 있나요?", "1"},
      {"answer ko 자동차는 무슨 색인가요?", "빨간색"},
      {"answer ko 표지판은 무슨 색인가요?", "파란색"},
      {"answer ko 표지판이 있나요?", "네"},
      {"answer ko 코끼리가 있나요?", "아니요"},
      {"answer ko 왼쪽에 무엇이 있나요?", "소"},
      {"answer ko 오른쪽에 무엇이 있나요?", "표지판"},
      {"answer ko 소 오른쪽에 무엇이 있나요?", "자동차"},
      {"answer ko 표지판에 뭐라고 쓰여 있나요?", "STOP"},
  };
  for (const auto& [prompt, answer] : expected)
    EXPECT_THAT(answers, Contains(std::pair<const std::string, std::string>(prompt, answer)));
  // Beside which of the two cars nobody could say.
  EXPECT_EQ(answers.count("answer en what is left of the car?"), 0u);
}

TEST(Answers, NothingIsAskedOfWhatIsNotThere) {
  for (const auto& [prompt, answer] : all_answers(empty_scene())) {
    EXPECT_THAT(prompt, testing::Not(testing::AnyOf(HasSubstr("color"), HasSubstr("sign say"), HasSubstr("on the left"),
                                                    HasSubstr("무슨 색"), HasSubstr("뭐라고"))));
    if (prompt == "ocr") {
      EXPECT_EQ(answer, "");
    }
    if (prompt.starts_with("answer en is there")) {
      EXPECT_EQ(answer, "no");
    }
  }
}

TEST(Finding, NamesInThePromptsOrderEachLeftToRight) {
  const world::Scene scene = beach_scene();
  std::map<std::string, std::vector<std::size_t>> found;
  for (std::uint64_t seed = 0; seed < 600; ++seed)
    for (const Question& question : asked_of(scene, seed))
      if (question.task != SampleTask::text) found[question.prompt] = question.figures;
  EXPECT_THAT(found["detect cow"], ElementsAre(0u));
  EXPECT_THAT(found["detect car"], ElementsAre(1u, 2u));
  EXPECT_THAT(found["detect car ; cow"], ElementsAre(1u, 2u, 0u));
  EXPECT_THAT(found["detect sign ; cow ; car"], ElementsAre(3u, 0u, 1u, 2u));
  EXPECT_THAT(found["segment car"], ElementsAre(1u, 2u));
  std::size_t alone = 0, beside = 0;
  for (const auto& [prompt, figures] : found) {
    const std::vector<std::string> labels = split_labels(prompt.substr(prompt.find(' ')));
    EXPECT_LE(labels.size(), 3u) << prompt;
    EXPECT_EQ(std::set<std::string>(labels.begin(), labels.end()).size(), labels.size()) << prompt;
    const auto shown = std::ranges::count_if(
        labels, [](const std::string& label) { return label == "cow" || label == "car" || label == "sign"; });
    EXPECT_EQ(figures.empty(), shown == 0) << prompt;
    alone += shown == 0;
    beside += shown > 0 && static_cast<std::size_t>(shown) < labels.size();
  }
  EXPECT_GT(alone, 10u);
  EXPECT_GT(beside, 10u);
}

// The request whose words a prompt is.
Request request_of(const Question& question) {
  Request request{.language = std::string(question.language)};
  switch (question.topic) {
    case Topic::caption: request.task = Task::caption; break;
    case Topic::describe: request.task = Task::caption, request.length = CaptionLength::detailed; break;
    case Topic::alt: request.task = Task::caption, request.length = CaptionLength::alt; break;
    case Topic::ocr: request.task = Task::ocr; break;
    case Topic::box: request.task = Task::caption, request.region.emplace(); break;
    case Topic::detect: request.task = Task::detect; break;
    case Topic::segment: request.task = Task::segment; break;
    default: request.task = Task::ask;
  }
  if (request.task == Task::ask) request.text = question.prompt.substr(std::string("answer en ").size());
  if (question.task != SampleTask::text)
    request.labels = split_labels(question.prompt.substr(question.prompt.find(' ')));
  return request;
}

TEST(Questions, AreThoseOfTheProgramsTasks) {
  std::set<std::pair<Topic, std::string_view>> met;
  for (std::uint64_t number = 0; number < 200; ++number) {
    const world::Scene scene = world::make_scene(artwork(), 5, number);
    for (const Question& question : asked_of(scene, number)) {
      const std::string region = question.topic == Topic::box ? question.prompt.substr(question.prompt.find('<')) : "";
      EXPECT_EQ(prompt_text(request_of(question), region), question.prompt);
      met.emplace(question.topic, question.language);
    }
  }
  EXPECT_EQ(met.size(), 2u + 2 + 1 + 1 + 1 + 2 * 9 + 2);  // caption, describe, cap, ocr, box, answers, detect, segment
}

TEST(Questions, CountTheBoxes) {
  for (std::uint64_t number = 0; number < 200; ++number) {
    const world::Scene scene = world::make_scene(artwork(), 6, number);
    std::map<std::string, int> counts;
    int animals = 0;
    for (const world::Figure& figure : scene.figures) {
      const world::Thing& thing = world::things()[static_cast<std::size_t>(figure.thing)];
      ++counts[std::string(thing.plural)];
      animals += thing.animal;
    }
    for (const Question& question : asked_of(scene, number)) {
      if (question.language != "en") continue;
      if (question.topic == Topic::animals) {
        EXPECT_EQ(question.answer, std::to_string(animals));
      }
      if (question.topic != Topic::count) continue;
      const std::string words = question.prompt.substr(std::string("answer en how many ").size());
      EXPECT_EQ(question.answer, std::to_string(counts[words.substr(0, words.find(' '))])) << question.prompt;
    }
  }
}

TEST(Questions, AreTheSameForTheSameDice) {
  const world::Scene scene = world::make_scene(artwork(), 5, 3);
  const std::vector<Question> one = asked_of(scene, 9), other = asked_of(scene, 9);
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].prompt, other[i].prompt);
    EXPECT_EQ(one[i].answer, other[i].answer);
  }
}

}  // namespace
}  // namespace paligemma::test
