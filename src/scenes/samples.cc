#include "scenes/samples.h"

#include "base/error.h"
#include "data/target.h"
#include "scenes/world.h"

namespace paligemma::world {

Sample sample_of(const Scene& scene, const Question& question) {
  Sample sample{.picture = {.name = join("scenes ", scene.seed, "/", scene.number)},
                .width = scene.side,
                .height = scene.side,
                .task = question.task,
                .prefix = question.prompt};
  sample.id = join(sample.picture.name, " ", question.prompt);
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
