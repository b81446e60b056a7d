// The embedded model learns to find what it never saw, from pictures that are made here: the emoji of an octopus on the
// backgrounds of the model's own pictures.
#include <gmock/gmock.h>

#include <random>

#include "image/resize.h"
#include "io/json.h"
#include "support/golden.h"
#include "support/pocket.h"
#include "support/scratch.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace paligemma::test {
namespace {

constexpr const char* kLabel = "banana";  // a word that the model knows, of another thing
constexpr const char* kModules =
    ".*\\.(q_proj|k_proj|v_proj|out_proj|o_proj|fc1|fc2|gate_proj|up_proj|down_proj|linear)";

struct Emoji {
  Picture colors = read_picture(GOLDEN_DIR "/train/emoji/octopus.png");
  Picture alpha = read_picture(GOLDEN_DIR "/train/emoji/octopus_alpha.png");
};

void paste(const Emoji& emoji, Picture& onto, Area at) {
  const Picture colors = resize(emoji.colors, at.width, at.height, Resize::pillow);
  const Picture alpha = resize(emoji.alpha, at.width, at.height, Resize::pillow);
  for (int y = 0; y < at.height; ++y)
    for (int i = 0; i < 3 * at.width; ++i) {
      const std::size_t from = static_cast<std::size_t>(3 * at.width * y + i);
      std::uint8_t& pixel = onto.rgb[static_cast<std::size_t>(3 * (onto.width * (at.y + y) + at.x) + i)];
      const int share = alpha.rgb[from];
      pixel = static_cast<std::uint8_t>((share * colors.rgb[from] + (255 - share) * pixel + 127) / 255);
    }
}

// A folder of pictures with one octopus each, and their boxes as COCO has them.
void compose(const Scratch& folder, const std::string& name, int count, unsigned seed) {
  const Emoji emoji;
  std::vector<Picture> backgrounds;
  for (const char* place : {"beach", "city", "desert", "field", "forest", "road", "room", "snow"})
    backgrounds.push_back(read_picture(kPictures + place + ".png"));
  std::mt19937 random(seed);
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
  };
  Json images = Json::array(), annotations = Json::array();
  for (int i = 0; i < count; ++i) {
    Picture picture = backgrounds[static_cast<std::size_t>(i) % backgrounds.size()];
    Area at{.width = picture.width * between(22, 42) / 100};
    at.height = at.width * emoji.colors.height / emoji.colors.width;
    at.x = between(0, picture.width - at.width), at.y = between(0, picture.height - at.height);
    paste(emoji, picture, at);
    const std::string file = std::to_string(i) + ".ppm";
    folder.write(name + "/" + file, "P6 " + std::to_string(picture.width) + " " + std::to_string(picture.height) +
                                        " 255\n" + std::string(picture.rgb.begin(), picture.rgb.end()));
    images.push_back({{"id", i}, {"file_name", file}, {"width", picture.width}, {"height", picture.height}});
    annotations.push_back(
        {{"id", i}, {"image_id", i}, {"category_id", 1}, {"bbox", {at.x, at.y, at.width, at.height}}, {"iscrowd", 0}});
  }
  const Json document = {
      {"images", images}, {"annotations", annotations}, {"categories", Json::array({{{"id", 1}, {"name", kLabel}}})}};
  folder.write(name + "/annotations.json", document.dump());
}

// Modes, and how what is not trained is held.
class SmallRun : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(SmallRun, FindsWhatTheModelNeverSaw) {
  const Scratch folder;
  compose(folder, "train", 60, 1);
  compose(folder, "held_out", 24, 2);
  Recipe recipe;
  recipe.data = folder.path("train");
  recipe.val = folder.path("held_out");
  recipe.out = folder.path("run");
  recipe.mode = GetParam().first;
  recipe.weights = GetParam().second;
  recipe.targets = {kModules};
  recipe.rank = 16;
  recipe.steps = recipe.eval_every = 60;
  recipe.batch = 20;
  recipe.soft_loc = 1;
  recipe.accumulate = 1;
  recipe.metric = "box_ap/50";
  std::string warnings;
  train(recipe, false,
        {.note = [](const std::string&) {},
         .warning = [&](const std::string& text) { warnings += text; },
         .progress = [](const RunProgress&) {}});
  EXPECT_EQ(warnings, "");

  const auto [history, bytes] = read_run_log(folder.read("run/log.jsonl"), "log.jsonl", recipe.steps);
  ASSERT_EQ(history.evaluations.size(), 2u);
  EXPECT_EQ(history.evaluations.front().metrics.front().first, "box_ap/50");
  EXPECT_LE(history.evaluations.front().metrics.front().second, 0.05);
  EXPECT_GE(history.evaluations.back().metrics.front().second, 0.5);
}

INSTANTIATE_TEST_SUITE_P(Modes, SmallRun,
                         ::testing::Values(std::pair("lora", "auto"), std::pair("lora", "q8"),
                                           std::pair("qlora", "q4")));

}  // namespace
}  // namespace paligemma::test
