// Pictures that several requests are about: which go through the vision tower, and that nobody's answer changes.
#include "pictures.h"

#include <gmock/gmock.h>

#include "support/golden.h"
#include "support/pocket.h"

namespace paligemma {
namespace {

using test::golden;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Pictures : public ::testing::Test {
 protected:
  SharedPicture picture(const char* name) const { return read_picture(test::kPictures + name); }

  static Request caption(const SharedPicture& pixels) {
    return {.task = Task::caption, .pictures = {{"p", pixels}}, .max_tokens = 8, .logprobs = true};
  }

  static std::vector<std::int64_t> numbers(const PicturePlan& plan) {
    std::vector<std::int64_t> out;
    for (const std::size_t place : plan.of_request) out.push_back(plan.pictures[place].number);
    return out;
  }

  static PicturePlan plan(const Pipeline& pipeline, const std::vector<Request>& requests,
                          const std::vector<const AdapterSet*>& adapters = {}) {
    std::vector<EnginePrompt> prompts(requests.size());
    for (std::size_t i = 0; i < adapters.size(); ++i) prompts[i].adapter = adapters[i];
    return plan_pictures(pipeline, requests, prompts);
  }

  const std::unique_ptr<Pipeline> pipeline = open_pipeline(open_model_files(golden("models/pg2")), "pg2", {});
  const SharedPicture beach = picture("beach.png"), city = picture("city.png");
};

TEST_F(Pictures, EqualOnesOfACallAreOne) {
  const PicturePlan made =
      plan(*pipeline, {caption(beach), caption(city), caption(beach), caption(picture("city.png"))});
  EXPECT_THAT(numbers(made), ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(made.pictures.size(), 2u);
  EXPECT_THAT(made.stay, IsEmpty());
  pipeline->options.share_pictures = false;
  EXPECT_THAT(numbers(plan(*pipeline, {caption(beach), caption(beach)})), ElementsAre(0, 1));
}

TEST_F(Pictures, OfTheLastCallStayWhileSomebodyHasThem) {
  const SharedPicture desert = picture("desert.png");
  pipeline->seen = {{beach.pointer()}, {desert.pointer()}, {picture("city.png").pointer()}, {city.pointer()}};
  const SharedPicture fresh = picture("beach.png");
  const PicturePlan made = plan(*pipeline, {caption(fresh), caption(city)});
  // Nobody asks for the first two, nobody has the third: they come first, it is gone. Equal pixels are not looked for.
  EXPECT_THAT(made.stay, ElementsAre(0u, 1u, 3u));
  EXPECT_THAT(numbers(made), ElementsAre(3, 2));
  EXPECT_EQ(made.pictures[0].seen, std::nullopt);
}

TEST_F(Pictures, FarMoreOfThemDoNotStay) {
  const std::int64_t each = pipeline->config.vision.tokens() * pipeline->config.decoder.width * 4;
  const auto many = static_cast<std::size_t>((std::int64_t{1} << 26) / each);
  pipeline->seen.assign(2 * many, {beach.pointer()});
  const PicturePlan made = plan(*pipeline, {caption(city)});
  EXPECT_EQ(made.stay.size(), many);
  EXPECT_EQ(made.stay.front(), many);
}

TEST_F(Pictures, AreOthersUnderAnAdapterOfTheTower) {
  const AdapterSet tower{.name = "tower", .changes_pictures = true}, text{.name = "text"};
  const PicturePlan made = plan(*pipeline, {caption(beach), caption(beach), caption(beach)}, {&tower, &text, nullptr});
  EXPECT_THAT(numbers(made), ElementsAre(0, 1, 1));
}

TEST(SharedPictures, AnswersAreThoseOfEachAlone) {
  ModelOptions options{.weights = WeightType::f32, .compute = Compute::f32, .threads = 2};
  for (const char* name : {"plain", "projector", "dora-vision"}) options.adapters.push_back(golden("lora/") / name);
  Model shared = Model::open(golden("models/pg2"), options);
  options.share_pictures = false;
  Model apart = Model::open(golden("models/pg2"), options);
  const SharedPicture beach = read_picture(test::kBeach), city = read_picture(test::kCity);
  for (int call = 0; call < 3; ++call) {
    std::vector<Request> requests;
    for (int i = 0; i < 9; ++i) {
      Request& request = requests.emplace_back(Request{.task = Task::run, .max_tokens = 6, .logprobs = true});
      request.text = i % 2 ? "caption en" : "detect cow";
      request.pictures.push_back({"p", (i + call) % 3 ? beach : city});
      if (i == 4) request.pictures.push_back({"q", city});
      request.adapter = std::array<std::optional<std::string>, 4>{"plain", "projector", "dora-vision", {}}[i % 4];
    }
    const std::vector<Result> together = shared.answer(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const Result alone = apart.answer(requests[i]);
      EXPECT_EQ(together[i].text, alone.text);
      ASSERT_EQ(together[i].tokens.size(), alone.tokens.size());
      for (std::size_t k = 0; k < alone.tokens.size(); ++k)
        EXPECT_EQ(together[i].tokens[k].logprob, alone.tokens[k].logprob);
    }
  }
}

// A call that fails leaves nothing behind that the next one would take for a picture.
TEST(SharedPictures, SurviveACallThatIsStopped) {
  Model model = Model::embedded();
  const SharedPicture beach = read_picture(test::kBeach), city = read_picture(test::kCity);
  const auto caption = [&](const SharedPicture& pixels, bool stopped) {
    return model.answer({.task = Task::caption, .pictures = {{"p", pixels}}}, [stopped] { return stopped; }).text;
  };
  const std::string first = caption(beach, false);
  EXPECT_THROW(caption(city, true), Error);
  EXPECT_EQ(caption(beach, false), first);
  EXPECT_NE(caption(city, false), first);
}

}  // namespace
}  // namespace paligemma
