#include "scenes/source.h"

#include <algorithm>
#include <charconv>
#include <list>
#include <mutex>

#include "base/error.h"
#include "scenes/samples.h"
#include "scenes/world.h"

namespace paligemma::world {
namespace {

constexpr std::string_view kPrefix = "scenes:";
constexpr std::uint64_t kAskSeed = 1;

struct SourceName {
  std::uint64_t seed = 0, count = 10000, side = 224;
  double scale = 1;
};

// Takes a number off the begin of what is left. False for anything but one with another field behind it, or the last.
template <class Number>
bool take_field(std::string_view& left, Number& field) {
  const auto [end, error] = std::from_chars(left.data(), left.data() + left.size(), field);
  left.remove_prefix(static_cast<std::size_t>(end - left.data()));
  if (error != std::errc() || (!left.empty() && left.front() != ':') || left == ":") return false;
  left.remove_prefix(left.empty() ? 0 : 1);
  return true;
}

SourceName parse_name(std::string_view name) {
  SourceName parsed;
  std::string_view left = name.substr(kPrefix.size());
  bool known = take_field(left, parsed.seed);
  for (std::uint64_t* field : {&parsed.count, &parsed.side})
    if (known && !left.empty()) known = take_field(left, *field);
  if (known && !left.empty()) known = take_field(left, parsed.scale);
  constexpr std::uint64_t kMostScenes = 1'000'000;
  if (!known || !left.empty() || parsed.count < 1 || parsed.count > kMostScenes || parsed.side < kLeastSide ||
      parsed.side > kMostSide || !(parsed.scale >= kLeastScale && parsed.scale <= kMostScale))
    fail(ErrorKind::usage, "scenes", "no scenes: ", name, ": expected scenes:SEED, :COUNT from 1 to ", kMostScenes,
         ", :SIDE from ", kLeastSide, " to ", kMostSide, " and :SCALE from ", kLeastScale, " to ", kMostScale,
         ", as in scenes:7:500:224");
  return parsed;
}

// As many of them as a scene has samples: things to find twice, a mask, the sign, a caption, a text about all, a
// thing in a box, and others.
std::vector<Question> chosen(std::vector<Question> all, Dice& dice) {
  dice.shuffle(all);
  const auto about_all = [](const Question& one) {
    return one.topic == Topic::caption || one.topic == Topic::describe || one.topic == Topic::alt;
  };
  const auto of = [](Topic topic) { return [topic](const Question& one) { return one.topic == topic; }; };
  auto next = all.begin();
  const auto take = [&](auto&& is) {
    const auto found = std::find_if(next, all.end(), is);
    if (found != all.end()) std::iter_swap(next++, found);
  };
  take(of(Topic::detect)), take(of(Topic::detect)), take(of(Topic::segment)), take(of(Topic::ocr));
  take(of(Topic::caption)), take(about_all), take(of(Topic::box));
  const std::size_t count = all.size();
  for (std::size_t i = 0; all.size() < kQuestions; ++i) all.push_back(all[i % count]);
  all.resize(kQuestions);
  dice.shuffle(all);
  return all;
}

// What is asked about a scene, and its picture.
struct Asked {
  Scene scene{};
  std::vector<Question> questions{};
  Picture picture{};
  std::vector<DecodedObject> things{}, letters{};  // as the picture shows them
};

std::vector<DecodedObject> things_in(const Scene& scene) {
  std::vector<DecodedObject> all;
  for (const Figure& figure : scene.figures) {
    DecodedObject& thing =
        all.emplace_back(DecodedObject{std::string(things()[static_cast<std::size_t>(figure.thing)].name)});
    std::ranges::copy(figure.box, thing.box.begin());
  }
  return all;
}

std::vector<DecodedObject> letters_in(const Artwork& artwork, const Scene& scene) {
  std::vector<DecodedObject> all;
  for (const Figure& figure : scene.figures) {
    if (figure.thing != static_cast<int>(sign_place())) continue;
    for (const BoardLetter& one : letters_of(artwork, scene.board)) {
      const double x = figure.x + one.x * figure.scale, y = figure.y + one.y * figure.scale;
      const double across = one.width * figure.scale / 2, down = one.height * figure.scale / 2;
      DecodedObject& letter = all.emplace_back(DecodedObject{one.letter, {x - across, y - down, x + across, y + down}});
      for (double& border : letter.box) border *= scene.side;
    }
  }
  return all;
}

class SceneSource {
 public:
  explicit SceneSource(const SourceName& name) : name_(name) {}

  Asked ask(std::uint64_t number) const {
    Asked asked{.scene = make_scene(artwork_, name_.seed, number,
                                    {.side = static_cast<int>(name_.side), .scale = name_.scale})};
    Dice dice(seed_of(seed_of(name_.seed, kAskSeed), number));
    asked.questions = chosen(questions(asked.scene, dice), dice);
    return asked;
  }

  DecodedSample sample(std::size_t place, std::uint64_t epoch) {
    const std::shared_ptr<const Asked> asked = drawn(epoch * name_.count + place / kQuestions);
    DecodedSample sample = place_sample(sample_of(asked->scene, asked->questions[place % kQuestions]), asked->picture);
    sample.ordered = true;
    sample.things = asked->things;
    sample.letters = asked->letters;
    return sample;
  }

 private:
  // The samples of a scene are asked for one after the other, by several threads: the last scenes are kept.
  std::shared_ptr<const Asked> drawn(std::uint64_t number) {
    constexpr std::size_t kKept = 32;
    const auto known = [&]() -> std::shared_ptr<const Asked> {
      const auto found = std::ranges::find(kept_, number, [](const auto& one) { return one->scene.number; });
      return found == kept_.end() ? nullptr : *found;
    };
    {
      const std::lock_guard lock(mutex_);
      if (auto found = known()) return found;
    }
    auto asked = std::make_shared<Asked>(ask(number));
    asked->picture = draw(asked->scene, backdrops_);
    asked->things = things_in(asked->scene);
    asked->letters = letters_in(artwork_, asked->scene);
    const std::lock_guard lock(mutex_);
    if (auto found = known()) return found;
    kept_.push_front(asked);
    if (kept_.size() > kKept) kept_.pop_back();
    return asked;
  }

  SourceName name_;
  Artwork artwork_ = open_artwork();
  BackdropStore backdrops_;
  std::mutex mutex_;
  std::list<std::shared_ptr<const Asked>> kept_;
};

}  // namespace

bool names_scenes(std::string_view name) { return name.starts_with(kPrefix); }

Dataset open_scenes(std::string_view name) {
  const SourceName parsed = parse_name(name);
  const auto source = std::make_shared<SceneSource>(parsed);
  Dataset data{.form = "drawn scenes"};
  data.root = std::string(name);
  for (std::uint64_t number = 0; number < parsed.count; ++number) {
    const Asked asked = source->ask(number);
    for (std::size_t i = 0; i < kQuestions; ++i) {
      Sample& sample = data.samples.emplace_back(sample_of(asked.scene, asked.questions[i]));
      sample.id = join(number, " ", i, " ", sample.prefix);
      sample.picture.path = sample.picture.name;
    }
  }
  for (const Thing& thing : things()) data.classes.emplace_back(thing.name);
  data.drawn = [source](std::size_t place, std::uint64_t epoch) { return source->sample(place, epoch); };
  return data;
}

}  // namespace paligemma::world
