// Losses, gradients and ten steps of AdamW of the tiny models against torch's: tests/golden/train.
#include <cmath>

#include "engine/loaded.h"
#include "image/patches.h"
#include "image/resize.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/trained_adapter.h"

namespace paligemma {
namespace {

// The batch of four of a case, from the ids that the processor made: left-padded, labels beside them.
struct GoldenBatch {
  Batch batch;
  Json json;

  GoldenBatch(const Loaded& model, const std::string& folder) : json(golden_json(folder + "/case.json")) {
    const int side = static_cast<int>(model.config.vision.image_size());
    for (std::size_t i = 0; i < json["examples"].size(); ++i) {
      const std::string picture = json["examples"][i]["picture"].get<std::string>();
      const Picture pixels = resize(read_picture(golden("pictures/" + picture)), side, side, Resize::pillow);
      std::vector<float> patches(static_cast<std::size_t>(3 * side * side));
      write_patches(pixels, static_cast<int>(model.config.vision.patch), {},
                    {patches.data(), model.config.vision.tokens(), model.config.vision.patch_values()});
      batch.patches.insert(batch.patches.end(), patches.begin(), patches.end());
      TokenExample example{.pictures = {static_cast<std::int64_t>(i)}};
      const auto all = ids(json["input_ids"][i]), mask = ids(json["attention_mask"][i]),
                 labels = ids(json["labels"][i]);
      for (std::size_t t = 0; t < all.size(); ++t) {
        if (mask[t] == 0) continue;
        (labels[t] == -100 ? example.prompt : example.answer).push_back(all[t]);
      }
      batch.examples.push_back(std::move(example));
    }
  }
};

struct Trained {
  Loaded model;
  GoldenBatch golden;
  Parameters parameters{*model.backend};
  Objective objective;

  explicit Trained(const std::string& name, Keep keep = Keep::intermediates,
                   const std::vector<std::string>& frozen = {}, bool capped = false)
      : model(name_of(name), "", {.held = HeldAs::f32}),
        golden(model, "train/" + name),
        objective(*model.backend, uncapped(model.config, capped), model.network,
                  {.image_token = *model.config.image_token, .keep = keep}) {
    add_network(parameters, model.network, model.config, model.source, NamePatterns(frozen));
  }
  static std::string name_of(const std::string& name) { return "models/" + name; }
  static const Config& uncapped(Config& config, bool capped) {
    if (!capped) config.decoder.final_cap = 0;
    return config;
  }

  Loss gradients(LossMean mean = LossMean::example) {
    parameters.zero_gradients();
    const auto weights = loss_weights(golden.batch.examples, mean);
    return objective.run(golden.batch, weights, nullptr, [&](Tape& tape) { parameters.train_on(tape); });
  }
};

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

double distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return std::sqrt(sum);
}

bool has_no_gradient(const std::string& name) {
  return name.find("vision_tower") != std::string::npos && name.ends_with("k_proj.bias");
}

class GoldenTraining : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Models, GoldenTraining, ::testing::Values("pg1", "pg2"));

TEST_P(GoldenTraining, LossesAndGradients) {
  const Safetensors expected = golden_tensors("train/" + GetParam() + "/tensors.safetensors");
  for (const LossMean mean : {LossMean::example, LossMean::token}) {
    const std::string kind = mean == LossMean::example ? "example_mean" : "token_mean";
    Trained trained(GetParam(), Keep::intermediates, {}, mean == LossMean::token);
    const Json& json = trained.golden.json;
    const Loss loss = trained.gradients(mean);
    EXPECT_NEAR(loss.loss, json["loss"][kind].get<double>(), 1e-5 * loss.loss);
    double all = 0;
    for (const Parameter& p : trained.parameters.all()) {
      all += norm(p.gradient) * norm(p.gradient);
      if (has_no_gradient(p.name)) {
        const double noise = json["rounding_noise"]["gradient_one_example_at_a_time"][p.name].get<double>();
        for (const float value : p.gradient) EXPECT_LE(std::fabs(value), 3 * noise + 1e-6) << p.name;
        continue;
      }
      const auto found = expected.tensors.find("gradient/" + kind + "/" + p.name);
      if (found == expected.tensors.end()) {
        if (mean == LossMean::example && p.name != kEmbeddingName) ADD_FAILURE() << p.name;
        continue;
      }
      const std::vector<float> gradient = values(found->second);
      ASSERT_EQ(gradient.size(), p.gradient.size());
      EXPECT_LE(distance(p.gradient, gradient), 1e-4 * norm(gradient)) << p.name;
    }
    EXPECT_NEAR(std::sqrt(all), json["steps"][kind]["gradient_norms_before_clipping"][0].get<double>(),
                1e-4 * std::sqrt(all));
  }
}

TEST_P(GoldenTraining, BlocksThatRunAgainGiveTheSameBits) {
  Trained stored(GetParam()), again(GetParam(), Keep::inputs);
  EXPECT_EQ(stored.gradients().loss, again.gradients().loss);
  for (std::size_t i = 0; i < stored.parameters.all().size(); ++i) {
    const Parameter &a = stored.parameters.all()[i], &b = again.parameters.all()[i];
    EXPECT_EQ(std::memcmp(a.gradient.data(), b.gradient.data(), a.gradient.size_bytes()), 0) << a.name;
  }
}

// Of a tensor whose numbers are not all there.
void expect_summary(const Parameter& p, const Json& summary, double tolerance) {
  const auto at = summary["at"].get<std::vector<std::size_t>>();
  const auto expected = summary["values"].get<std::vector<double>>();
  for (std::size_t i = 0; i < at.size(); ++i) EXPECT_NEAR(p.value[at[i]], expected[i], tolerance) << p.name;
  EXPECT_NEAR(norm(p.value), summary["norm"].get<double>(),
              tolerance * std::sqrt(static_cast<double>(p.value.size())) + 1e-6 * norm(p.value))
      << p.name;
}

OptimizerOptions options_of(const Json& json) {
  return {.beta1 = json["betas"][0].get<double>(),
          .beta2 = json["betas"][1].get<double>(),
          .eps = json["eps"].get<double>(),
          .weight_decay = json["weight_decay"].get<double>(),
          .decay_all = true,
          .clip = json["clip_norm"].get<double>()};
}

struct StepTolerance {
  double loss, norm;  // relative
};

void expect_ten_steps(Trained& trained, const Json& optimizer, const Json& steps, StepTolerance tolerance) {
  Optimizer adamw(trained.parameters, *trained.model.backend, options_of(optimizer));
  const auto losses = steps["losses"].get<std::vector<double>>();
  const auto norms = steps["gradient_norms_before_clipping"].get<std::vector<double>>();
  for (std::size_t step = 0; step < norms.size(); ++step) {
    EXPECT_NEAR(trained.gradients().loss, losses[step], tolerance.loss * losses[step]) << "step " << step;
    const StepResult result = adamw.step({.lr = optimizer["lr"].get<double>()});
    EXPECT_NEAR(result.gradient_norm, norms[step], tolerance.norm * norms[step]) << "step " << step;
    trained.parameters.place();
  }
  EXPECT_NEAR(trained.gradients().loss, losses.back(), tolerance.loss * losses.back());
}

TEST_P(GoldenTraining, TenQuietSteps) {
  Trained trained(GetParam());
  const Json json = trained.golden.json;
  Json optimizer = json["optimizer"];
  optimizer.update(json["optimizer_quiet"]);
  expect_ten_steps(trained, optimizer, json["steps"]["example_mean_quiet"], {.loss = 1e-5, .norm = 1e-3});
  for (const Parameter& p : trained.parameters.all()) {
    const double noise = json["rounding_noise"]["after_10_steps_quiet_one_example_at_a_time"][p.name].get<double>();
    expect_summary(p, json["after_10_steps_summary_quiet"][p.name], std::max(1e-5, 3 * noise));
  }
}

// Rounding grows from step to step: after ten of them transformers' weights are up to 5e-3 from its own run in double
// precision. So the run is compared with that, by the same distance.
TEST_P(GoldenTraining, TenStepsAsCloseToDoubleAsTorch) {
  Trained trained(GetParam());
  const Json json = trained.golden.json;
  const Safetensors expected = golden_tensors("train/" + GetParam() + "/double.safetensors");
  const std::vector<float> of_torch = values(expected.tensors.at("distance"));
  std::map<std::string, const Parameter*> by_name;
  for (const Parameter& p : trained.parameters.all()) by_name[p.name] = &p;
  ASSERT_EQ(by_name.size(), of_torch.size());
  expect_ten_steps(trained, json["optimizer"], json["steps"]["example_mean"], {.loss = 0.1, .norm = 0.5});
  auto torch = of_torch.begin();
  for (const auto& [name, p] : by_name) {
    const std::vector<float> after = values(expected.tensors.at(name));
    EXPECT_LE(distance(p->value, after), 3 * *torch++) << name;
  }
}

TEST_P(GoldenTraining, TenStepsWithTheTowerFrozen) {
  Trained trained(GetParam(), Keep::intermediates, {"vision_tower\\..*"});
  const Json json = trained.golden.json;
  EXPECT_EQ(trained.parameters.all().size(), json["after_10_steps_summary_vision_tower_frozen"].size());
  expect_ten_steps(trained, json["optimizer"], json["steps"]["example_mean_vision_tower_frozen"],
                   {.loss = 1e-3, .norm = 0.1});
}

struct TrainedLora {
  Loaded model{"models/pg2", "", {.held = HeldAs::f32}};
  GoldenBatch golden{model, "train/pg2"};
  Parameters parameters{*model.backend};
  AdapterSet set;
  TrainedAdapter adapter;
  Objective objective;

  explicit TrainedLora(const std::string& name, Keep keep = Keep::intermediates)
      : adapter(model.adapter(name),
                {model.network, model.config, model.source, model.holding, *model.backend, parameters, set}),
        objective(*model.backend, Trained::uncapped(model.config, false), model.network,
                  {.image_token = *model.config.image_token, .keep = keep}) {}

  Loss gradients(LoraDropout dropout = {}) {
    parameters.zero_gradients();
    const auto weights = loss_weights(golden.batch.examples, LossMean::example);
    const Loss loss =
        objective.run(golden.batch, weights, &adapter.set(), [&](Tape& tape) { adapter.train_on(tape); }, dropout);
    adapter.finish_gradients();
    return loss;
  }
};

// "x" of PEFT's key for x, or for x as a module to save.
std::string published_key(std::string key) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (const std::size_t at = key.find(from); at != std::string::npos) key.replace(at, from.size(), to);
  };
  replace("base_model.model.", "");
  replace("model.language_model.", "language_model.model.");
  replace("model.vision_tower.", "vision_tower.vision_model.");
  replace("model.multi_modal_projector.", "multi_modal_projector.");
  replace("lora_magnitude_vector.weight", "lora_magnitude_vector");
  replace("modules_to_save.", "");
  replace("default.", "");
  return key;
}

class GoldenLora : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Adapters, GoldenLora, ::testing::Values("plain", "dora", "projector"));

TEST_P(GoldenLora, GradientsAndTenSteps) {
  TrainedLora trained(GetParam());
  const Json json = golden_json("lora/case.json")["training"];
  const Json& own = json[GetParam()];
  const Safetensors expected = golden_tensors("lora/tensors.safetensors");
  std::map<std::string, const Parameter*> by_name;
  for (const Parameter& p : trained.parameters.all()) by_name[p.name] = &p;
  const auto compare = [&](const std::string& prefix, auto&& use) {
    std::size_t count = 0;
    for (const auto& [key, tensor] : expected.tensors) {
      if (!key.starts_with(prefix)) continue;
      ++count;
      const auto found = by_name.find(published_key(key.substr(prefix.size())));
      ASSERT_NE(found, by_name.end()) << key;
      use(*found->second, values(tensor));
    }
    EXPECT_EQ(count, by_name.size());
  };
  EXPECT_NEAR(trained.gradients().loss, own["loss"].get<double>(), 1e-4);
  compare("train/" + GetParam() + "/gradient/", [](const Parameter& p, const std::vector<float>& gradient) {
    EXPECT_LE(distance(p.gradient, gradient), 1e-4 * norm(gradient) + 1e-7) << p.name;
  });
  Optimizer adamw(trained.parameters, *trained.model.backend, options_of(json["optimizer"]));
  const auto losses = own["steps"]["losses"].get<std::vector<double>>();
  for (std::size_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(trained.gradients().loss, losses[step], 1e-5 * losses[step]);
    adamw.step({.lr = json["optimizer"]["lr"].get<double>()});
    trained.adapter.place();
  }
  const double noise = own["rounding_noise_after_10_steps"].get<double>();
  compare("train/" + GetParam() + "/after_10_steps/", [&](const Parameter& p, const std::vector<float>& after) {
    double most = 0;
    for (std::size_t i = 0; i < after.size(); ++i)
      most = std::max(most, std::fabs(static_cast<double>(p.value[i]) - after[i]));
    EXPECT_LE(most, std::max(3 * noise, 1e-5)) << p.name;
  });
}

bool same_gradients(const Parameters& a, const Parameters& b) {
  for (std::size_t i = 0; i < a.all().size(); ++i)
    if (std::memcmp(a.all()[i].gradient.data(), b.all()[i].gradient.data(), a.all()[i].gradient.size_bytes()) != 0)
      return false;
  return a.all().size() == b.all().size();
}

TEST(Training, WithATapeTheLossHasTheSameBits) {
  Trained trained("pg2");
  const auto weights = loss_weights(trained.golden.batch.examples, LossMean::example);
  const double with = trained.gradients().loss;
  EXPECT_EQ(with, trained.objective.run(trained.golden.batch, weights, nullptr).loss);
}

TEST(Training, BatchesThatAreAccumulatedAreTheWholeOne) {
  TrainedLora whole("plain"), parts("plain");
  whole.gradients();
  const auto weights = loss_weights(parts.golden.batch.examples, LossMean::example);
  const std::size_t values = parts.golden.batch.patches.size() / 4;
  for (std::size_t i = 0; i < 4; ++i) {
    Batch one{.examples = {parts.golden.batch.examples[i]}};
    one.examples.front().pictures = {0};
    one.patches.assign(parts.golden.batch.patches.begin() + static_cast<std::ptrdiff_t>(i * values),
                       parts.golden.batch.patches.begin() + static_cast<std::ptrdiff_t>((i + 1) * values));
    parts.objective.run(one, std::span(weights).subspan(i, 1), &parts.adapter.set(),
                        [&](Tape& tape) { parts.adapter.train_on(tape); });
  }
  parts.adapter.finish_gradients();
  for (std::size_t i = 0; i < whole.parameters.all().size(); ++i) {
    const Parameter &a = whole.parameters.all()[i], &b = parts.parameters.all()[i];
    EXPECT_LE(distance(a.gradient, b.gradient), 1e-5 * norm(a.gradient)) << a.name;  // sums in another order
  }
}

TEST(Training, DropoutIsTheSameWhenBlocksRunAgain) {
  const LoraDropout dropout{0.3f, 5};
  TrainedLora once("plain"), again("plain", Keep::inputs), without("plain");
  EXPECT_EQ(once.gradients(dropout).loss, again.gradients(dropout).loss);
  EXPECT_TRUE(same_gradients(once.parameters, again.parameters));
  without.gradients();
  EXPECT_FALSE(same_gradients(once.parameters, without.parameters));
}

// Labels that are lost, or a mask that is wrong, would leave a loss behind.
TEST(Training, OneBatchIsLearntByHeart) {
  Trained trained("pg2");
  Optimizer adamw(trained.parameters, *trained.model.backend, {.clip = 1});
  double loss = 0;
  for (int step = 0; step < 300; ++step) {
    loss = trained.gradients().loss;
    if (loss < 1e-3) break;
    adamw.step({.lr = 3e-3});
    trained.parameters.place();
  }
  EXPECT_LT(loss, 1e-3);
}

}  // namespace
}  // namespace paligemma
