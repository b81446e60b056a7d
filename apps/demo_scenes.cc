#include "demo_scenes.h"

#include "base/error.h"
#include "model/pocket.h"
#include "report/printable.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr std::array<DemoScene, 9> kScenes = {{
    {"beach",
     "pictures/beach.png",
     {"where is the cow?", "how many cows are there?", "is there a panda?"},
     "소는 어디에 있나요?",
     "cow ; lion",
     "cow"},
    {"city",
     "pictures/city.png",
     {"what does the sign say?", "how many planes are there?", "what color is the sign?"},
     "표지판에 뭐라고 쓰여 있나요?",
     "plane ; tiger ; bicycle",
     "plane"},
    {"desert",
     "pictures/desert.png",
     {"what color is the balloon?", "is there a camel?", "what is on the left?"},
     "풍선은 무슨 색인가요?",
     "camel ; balloon",
     "camel"},
    {"field",
     "pictures/field.png",
     {"how many buses are there?", "is there a horse?", "what does the sign say?"},
     "버스가 몇 대 있나요?",
     "bus ; horse ; sheep",
     "sheep"},
    {"forest",
     "pictures/forest.png",
     {"what is on the left?", "how many animals are there?", "is there a lion?"},
     "왼쪽에 무엇이 있나요?",
     "frog ; flower ; lion",
     "frog"},
    {"road",
     "pictures/road.png",
     {"what color is the car?", "what does the sign say?", "how many dogs are there?"},
     "자동차는 무슨 색인가요?",
     "dog ; car",
     "dog"},
    {"room",
     "pictures/room.png",
     {"how many animals are there?", "what is right of the cat?", "where is the cat?"},
     "동물이 몇 마리 있나요?",
     "cat ; pig",
     "cat"},
    {"snow",
     "pictures/snow.png",
     {"how many penguins are there?", "is there a bicycle?", "where is this?"},
     "여기는 어디인가요?",
     "frog ; penguin",
     "penguin"},
    {"photograph",
     kPocketPhotograph,
     {"where is the cat?", "how many animals are there?", "is there a dog?"},
     "여기는 어디인가요?",
     "cat",
     "cat"},
}};

constexpr std::size_t kShownBytes =
    240;  // of a picture that it knows nothing about the model may say the same for long

}  // namespace

std::span<const DemoScene> demo_scenes() { return kScenes; }

std::vector<Request> demo_requests(const DemoScene& scene) {
  std::vector<Request> requests = {{.task = Task::caption},
                                   {.task = Task::caption, .language = "ko"},
                                   {.task = Task::caption, .length = CaptionLength::detailed},
                                   {.task = Task::caption, .length = CaptionLength::alt},
                                   {.task = Task::ocr}};
  for (const std::string_view question : scene.questions)
    requests.push_back({.task = Task::ask, .text = std::string(question)});
  requests.push_back({.task = Task::ask, .text = std::string(scene.korean), .language = "ko"});
  requests.push_back({.task = Task::detect, .labels = split_labels(scene.labels)});
  requests.push_back({.task = Task::segment, .labels = split_labels(scene.label)});
  return requests;
}

std::string demo_answer(const Result& result) {
  std::string text = result.answer.value_or("");
  for (const Object& object : result.objects) {
    const auto& [x1, y1, x2, y2] = object.box;
    text += join(text.empty() ? "" : "; ", object.label, " ", object.score ? fixed(*object.score, 2) + " " : "", "[",
                 fixed(x1, 0), " ", fixed(y1, 0), " ", fixed(x2, 0), " ", fixed(y2, 0), "]");
  }
  if (text.size() > kShownBytes) {
    std::size_t end = kShownBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside of a character
    text = text.substr(0, end) + "...";
  }
  return text.empty() ? "(nothing)" : text;
}

}  // namespace paligemma
