#include "scenes/samples.h"

#include <algorithm>

#include "base/error.h"
#include "data/target.h"
#include "scenes/world.h"

namespace paligemma::world {

namespace {

// "answer.en.count", "ocr.letters", "detect.absent".
std::string group_of(const Scene& scene, const Question& question) {
  switch (question.topic) {
    case Topic::detect: return question.figures.empty() ? "detect.absent" : "detect.there";
    case Topic::segment: return "segment";
    case Topic::ocr: {
      if (scene.board.text.empty()) return "ocr.nothing";
      const bool word = std::ranges::find(latin_words(), scene.board.text) != latin_words().end();
      const bool hangul = static_cast<unsigned char>(scene.board.text.front()) >= 0x80;
      return word ? "ocr.words" : hangul ? "ocr.hangul" : "ocr.letters";
    }
    case Topic::box: return "caption.box";
    case Topic::caption:
    case Topic::describe:
    case Topic::alt: return join(topic_name(question.topic), ".", question.language);
    default: return join("answer.", question.language, ".", topic_name(question.topic));
  }
}

}  // namespace

Sample sample_of(const Scene& scene, const Question& question) {
  Sample sample{.picture = {.name = join("scenes ", scene.seed, "/", scene.number)},
                .width = scene.side,
                .height = scene.side,
                .task = question.task,
                .prefix = question.prompt};
  sample.id = join(sample.picture.name, " ", question.prompt);
  sample.group = group_of(scene, question);
  if (question.task == SampleTask::text) sample.answers = {question.answer};
  for (const std::size_t place : question.figures) {
    const Figure& figure = scene.figures[place];
    SampleObject object{.label = std::string(things()[static_cast<std::size_t>(figure.thing)].name),
                        .shape = {.runs = run_lengths(figure.mask, scene.side, scene.side)}};
    for (std::size_t i = 0; i < 4; ++i) object.box[i] = figure.box[i];
    sample.objects.push_back(std::move(object));
  }
  return sample;
}

std::string suffix_of(const Scene& scene, const Question& question) {
  DecodedSample sample{.task = question.task, .prefix = question.prompt, .answers = {question.answer}};
  sample.picture = {.width = scene.side, .height = scene.side, .rgb = {}};
  for (SampleObject& object : sample_of(scene, question).objects)
    sample.objects.push_back({.label = std::move(object.label), .box = object.box});
  Dice dice(0);
  return make_target(sample, {}, {.shuffle = false}, dice, 0, 0).text();
}

}  // namespace paligemma::world
