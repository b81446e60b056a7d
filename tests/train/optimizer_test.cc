#include "train/optimizer.h"

#include <cmath>

#include "support/golden.h"

namespace paligemma::test {
namespace {

struct OneMatrix {
  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  Weight placed;
  Parameters parameters{*backend};

  OneMatrix(std::int64_t rows, std::int64_t cols, const std::vector<float>& value)
      : placed(backend->make_matrix(rows, cols, DType::f32)) {
    parameters.add({.name = "w", .shape = {rows, cols}, .placed = &placed, .matrix = true},
                   {DType::f32, {rows, cols}, std::as_bytes(std::span(value))});
  }
  Parameter& parameter() { return parameters.all().front(); }
  void set_gradient(const std::vector<float>& gradient) { std::ranges::copy(gradient, parameter().gradient.begin()); }
};

// tests/interop/optimizers.py has the settings.
TEST(Optimizer, StepsAreTorchs) {
  const Safetensors golden = golden_tensors("train/optimizers.safetensors");
  struct Case {
    std::string name;
    OptimizerOptions options;
    double tolerance;
  };
  const std::vector<Case> cases = {
      {"adamw", {.beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1, .clip = 0}, 1e-6},
      {"sgd", {.kind = OptimizerKind::sgd, .weight_decay = 0.1, .clip = 0}, 1e-6},
      // Four steps of at most .01 whose directions torch rounds to 8 bits.
      {"muon", {.kind = OptimizerKind::muon, .weight_decay = 0.1, .clip = 0}, 4 * 0.02 * 0x1p-6},
      {"muon",
       {.kind = OptimizerKind::muon, .weight_decay = 0.1, .clip = 0, .precision = Precision::bf16},
       4 * 0.02 * 0x1p-6}};
  for (const Case& c : cases) {
    for (const auto& [rows, cols] : {std::pair{12, 20}, std::pair{33, 7}}) {
      const std::string key = c.name + "/" + std::to_string(rows) + "x" + std::to_string(cols);
      OneMatrix one(rows, cols, values(golden.tensors.at(key + "/value")));
      Optimizer optimizer(one.parameters, *one.backend, c.options);
      for (int step = 0; step < 4; ++step) {
        one.set_gradient(values(golden.tensors.at(key + "/gradient/" + std::to_string(step))));
        optimizer.step({.lr = 0.01, .lr_adamw = 0.01});
      }
      const std::vector<float> after = values(golden.tensors.at(key + "/after"));
      for (std::size_t i = 0; i < after.size(); ++i)
        EXPECT_NEAR(one.parameter().value[i], after[i], c.tolerance) << key << " " << i;
    }
  }
}

TEST(Optimizer, ThreadsDoNotMatter) {
  const auto train = [](int threads) {
    const auto backend = make_cpu_backend({.threads = threads});
    std::vector<Weight> placed;
    placed.reserve(8);
    Parameters parameters(*backend);
    for (int i = 0; i < 8; ++i) {
      const std::int64_t rows = 20 + i, cols = 40 - 5 * i;
      placed.push_back(backend->make_matrix(rows, cols, DType::f32));
      std::vector<float> value(static_cast<std::size_t>(rows * cols));
      for (std::size_t j = 0; j < value.size(); ++j) value[j] = std::sin(static_cast<float>(j * (3 + placed.size())));
      parameters.add({.name = "w", .shape = {rows, cols}, .placed = &placed.back(), .matrix = true, .table = i == 5},
                     {DType::f32, {rows, cols}, std::as_bytes(std::span(value))});
    }
    Optimizer optimizer(parameters, *backend, {.kind = OptimizerKind::muon, .ema = 0.5, .threads = threads});
    std::vector<float> after;
    for (int step = 0; step < 3; ++step) {
      for (Parameter& p : parameters.all())
        for (std::size_t j = 0; j < p.gradient.size(); ++j) p.gradient[j] = std::cos(p.value[j] * 7);
      optimizer.step({.lr = 0.01, .lr_adamw = 0.01});
    }
    for (const Parameter& p : parameters.all()) after.insert(after.end(), p.value.begin(), p.value.end());
    return after;
  };
  const std::vector<float> alone = train(1);
  EXPECT_EQ(train(2), alone);
  EXPECT_EQ(train(5), alone);
}

TEST(Optimizer, ClipsTheGlobalNorm) {
  OneMatrix one(1, 2, {0, 0});
  Optimizer optimizer(one.parameters, *one.backend, {.kind = OptimizerKind::sgd, .momentum = 0, .clip = 1});
  one.set_gradient({3, 4});
  EXPECT_DOUBLE_EQ(optimizer.step({.lr = 1}).gradient_norm, 5);
  EXPECT_NEAR(one.parameter().value[0], -0.6, 1e-6);
  EXPECT_NEAR(one.parameter().value[1], -0.8, 1e-6);
}

TEST(Optimizer, AStepThatIsNotFiniteChangesNothing) {
  OneMatrix one(1, 2, {1, 2});
  Optimizer optimizer(one.parameters, *one.backend, {});
  one.set_gradient({NAN, 4});
  EXPECT_TRUE(optimizer.step({.lr = 1}).skipped);
  EXPECT_EQ(optimizer.steps(), 0);
  EXPECT_EQ(one.parameter().value[1], 2);
}

TEST(Optimizer, TheAverageFollowsAndChangesPlaces) {
  OneMatrix one(1, 1, {1});
  Optimizer optimizer(one.parameters, *one.backend,
                      {.kind = OptimizerKind::sgd, .momentum = 0, .clip = 0, .ema = 0.75});
  one.set_gradient({1});
  optimizer.step({.lr = 1});  // to 0; the average goes a quarter of the way
  optimizer.swap_with_average();
  EXPECT_FLOAT_EQ(one.parameter().value[0], 0.75f);
  optimizer.swap_with_average();
  EXPECT_FLOAT_EQ(one.parameter().value[0], 0);
}

TEST(Schedule, RisesAndFalls) {
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::cosine, 0, 10, 2), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::cosine, 2, 10, 2), 1);
  EXPECT_NEAR(schedule_factor(Schedule::cosine, 6, 10, 2), 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::linear, 6, 10, 2), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::constant, 9, 10, 2), 1);
}

}  // namespace
}  // namespace paligemma::test
