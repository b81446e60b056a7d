// Losses and gradients of tiny models in big_vision's own files against its trainer's: tests/golden/npz.
#include <cmath>

#include "image/patches.h"
#include "model/layout.h"
#include "model/model_files.h"
#include "support/golden.h"
#include "train/objective.h"
#include "train/parameters.h"

namespace paligemma::test {
namespace {

struct BigVisionModel {
  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 2});
  ModelFiles files;
  Network network;
  Parameters parameters{*backend};
  Batch batch;

  explicit BigVisionModel(const std::string& folder)
      : files(open_model_files(golden(folder + "/model.npz"))),
        network(load_network(files.config, files.source, {.held = HeldAs::f32}, *backend)) {
    add_network(parameters, network, files.config, files.source, NamePatterns({}));
    files.config.decoder.final_cap = 0;
    const Safetensors inputs = golden_tensors(folder + "/expected.safetensors");
    const std::vector<float> images = values(inputs.tensors.at("inputs/image"));
    batch.patches.resize(images.size());
    const VisionConfig& vision = files.config.vision;
    const auto side = static_cast<int>(vision.image_size());
    const std::size_t each = images.size() / 4;
    const auto read = [&](const std::string& name) {
      const auto bytes = inputs.others.at("inputs/" + name).bytes;
      std::vector<std::int32_t> out(bytes.size() / sizeof(std::int32_t));
      std::memcpy(out.data(), bytes.data(), bytes.size());
      return out;
    };
    const auto text = read("text"), causal = read("mask_ar"), real = read("mask_input");
    for (std::size_t i = 0; i < 4; ++i) {
      write_patches(std::span(images).subspan(i * each, each), side, static_cast<int>(vision.patch),
                    {batch.patches.data() + i * each, vision.tokens(), vision.patch_values()});
      TokenExample example{.pictures = {static_cast<std::int64_t>(i)}};
      example.prompt.assign(static_cast<std::size_t>(vision.tokens()), *files.config.image_token);
      const std::size_t length = text.size() / 4;
      for (std::size_t t = i * length; t < (i + 1) * length; ++t) {
        if (causal[t] == 0)
          example.prompt.push_back(text[t]);
        else if (real[t] != 0 || text[t] == 1)
          example.answer.push_back(text[t]);
      }
      batch.examples.push_back(std::move(example));
    }
  }

  // The gradients as if they were the tensors of a checkpoint.
  TensorSource gradients() const {
    const auto find = [this](std::string_view name) -> const Parameter& {
      for (const Parameter& p : parameters.all())
        if (p.name == name) return p;
      throw std::out_of_range(std::string(name));
    };
    return {.shape = [find](std::string_view name) { return find(name).shape; },
            .dtype = [](std::string_view) { return DType::f32; },
            .rows =
                [find](std::string_view name, std::int64_t first, std::int64_t count) {
                  const Parameter& p = find(name);
                  return HostTensor{DType::f32, p.shape, std::as_bytes(p.gradient)}.rows(first, count);
                },
            .release = [](std::string_view) {}};
  }
};

class BigVisionTraining : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Models, BigVisionTraining, ::testing::Values("pg1", "pg2", "pg2_27b"));

TEST_P(BigVisionTraining, LossesAndGradients) {
  const std::string folder = "npz/" + GetParam();
  const Json losses = golden_json(folder + "/loss.json");
  for (const std::string smoothing : {"0", "0.1"}) {
    if (!losses.contains("label_smoothing_" + smoothing)) continue;
    const Json& expected = losses["label_smoothing_" + smoothing];
    BigVisionModel model(folder);
    Objective objective(*model.backend, model.files.config, model.network,
                        {.image_token = *model.files.config.image_token, .smoothing = std::stof(smoothing)});
    const auto weights = loss_weights(model.batch.examples, LossMean::example);
    const Loss loss =
        objective.run(model.batch, weights, nullptr, [&](Tape& tape) { model.parameters.train_on(tape); });
    EXPECT_NEAR(loss.loss, expected["loss"].get<double>(), 1e-5 * loss.loss);
    double square = 0;
    for (const Parameter& p : model.parameters.all())
      for (const float value : p.gradient) square += static_cast<double>(value) * value;
    EXPECT_NEAR(std::sqrt(square), expected["l2_grads"].get<double>(), 1e-4 * std::sqrt(square));

    const std::string file = folder + "/grads_ls" + smoothing + ".safetensors";
    if (!std::filesystem::exists(golden(file))) continue;
    const Safetensors gradients = golden_tensors(file);
    std::size_t compared = 0;
    const TensorSource own_gradients = model.gradients();
    for (const StreamedArray& array : layout_arrays(big_vision_layout(), model.files.config, own_gradients)) {
      std::vector<float> own;
      for (std::size_t i = 0; i < array.pieces; ++i) {
        const auto piece = array.piece(i);
        const std::size_t at = own.size();
        own.resize(at + piece.size() / sizeof(float));
        std::memcpy(own.data() + at, piece.data(), piece.size());
      }
      constexpr std::string_view kPrefix = "params/";
      const std::string name = array.name.starts_with(kPrefix) ? array.name.substr(kPrefix.size()) : array.name;
      ASSERT_TRUE(gradients.tensors.contains(name)) << name;
      const std::vector<float> reference = values(gradients.tensors.at(name));
      ++compared;
      if (name.ends_with("key/bias")) continue;  // zero but for rounding
      EXPECT_LE(relative_rms(own, reference), 1e-4) << name;
    }
    EXPECT_EQ(compared, gradients.tensors.size());
  }
}

}  // namespace
}  // namespace paligemma::test
