// Checkpoints that are no Hugging Face folders, against the programs that they come from: image embeddings, logits and
// greedy answers of tests/golden/npz, made by big_vision, and of tests/golden/keras, made by KerasHub.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "engine/engine.h"
#include "model/load.h"
#include "model/model_files.h"
#include "support/golden.h"
#include "support/scratch.h"
#include "support/tolerances.h"

namespace paligemma {
namespace {

using test::golden;
using test::golden_tensors;
using test::relative_rms;
using test::values;

// Whole numbers of an i32 or u8 tensor, row by row.
std::vector<std::vector<int>> rows_of(const RawTensor& tensor) {
  std::vector<std::vector<int>> out(static_cast<std::size_t>(tensor.shape[0]));
  const std::size_t element = tensor.dtype == "I32" ? 4 : 1;
  const std::size_t columns = tensor.bytes.size() / element / out.size();
  for (std::size_t i = 0; i < out.size() * columns; ++i) {
    int value = 0;
    std::memcpy(&value, tensor.bytes.data() + i * element, element);
    out[i / columns].push_back(value);
  }
  return out;
}

std::int32_t ones(const std::vector<int>& mask) { return static_cast<std::int32_t>(std::ranges::count(mask, 1)); }

// (B, side, side, 3) in [-1, 1] to patch rows.
std::vector<float> patch_rows(std::span<const float> images, const VisionConfig& vision) {
  const std::int64_t side = vision.image_size(), patch = vision.patch;
  std::vector<float> out;
  for (std::int64_t b = 0; b < static_cast<std::int64_t>(images.size()) / (side * side * 3); ++b)
    for (std::int64_t t = 0; t < vision.tokens(); ++t)
      for (std::int64_t c = 0; c < 3; ++c)
        for (std::int64_t i = 0; i < patch; ++i)
          for (std::int64_t j = 0; j < patch; ++j) {
            const std::int64_t y = t / vision.grid * patch + i, x = t % vision.grid * patch + j;
            out.push_back(images[static_cast<std::size_t>(((b * side + y) * side + x) * 3 + c)]);
          }
  return out;
}

struct LoadedFile {
  explicit LoadedFile(const std::filesystem::path& path, const NumericsProfile& numerics = kTransformersNumerics)
      : files(with(numerics, open_model_files(path))),
        network(load_network(files.config, files.source, {.precision = Precision::f32}, *backend)),
        engine(*backend, files.config, network,
               EngineOptions{.precision = Precision::f32,
                             .image_token = *files.config.image_token,
                             .eos_token = 1,
                             .real_vocabulary = files.config.decoder.vocabulary}) {
    engine.tap = [this](std::string_view name, ConstView value) {
      auto& all = taps[std::string(name)];
      for (std::int64_t r = 0; r < value.rows; ++r) all.insert(all.end(), value.row(r), value.row(r) + value.cols);
    };
  }

  static ModelFiles with(const NumericsProfile& numerics, ModelFiles files) {
    files.config.numerics = numerics;
    return files;
  }

  void see(std::span<const float> images) {
    const std::vector<float> patches = patch_rows(images, files.config.vision);
    const std::int64_t values = files.config.vision.patch_values();
    engine.encode_pictures({patches.data(), static_cast<std::int64_t>(patches.size()) / values, values});
  }

  EnginePrompt prompt(std::int64_t picture, std::span<const int> text, int max_tokens) const {
    EnginePrompt out{.pictures = {picture}, .max_tokens = max_tokens};
    out.ids.assign(static_cast<std::size_t>(files.config.vision.tokens()), *files.config.image_token);
    out.ids.insert(out.ids.end(), text.begin(), text.end());
    out.prefix = static_cast<std::int64_t>(out.ids.size());
    return out;
  }

  // Logits at every position of picture and text; of the text the first `prefix` see each other and the picture.
  std::vector<float> all_logits(std::int64_t picture, std::span<const int> text, std::size_t prefix) {
    EnginePrompt asked = prompt(picture, text.first(prefix), 0);
    asked.suffix.assign(text.begin() + static_cast<std::ptrdiff_t>(prefix), text.end());
    taps.clear();
    engine.generate({&asked, 1});
    const std::int64_t width = files.config.decoder.width;
    const auto& normed = taps.at("decoder.norm");
    Arena arena(*backend);
    Pass pass{*backend, arena};
    const View out =
        logits(pass, files.config, network, {normed.data(), static_cast<std::int64_t>(normed.size()) / width, width},
               files.config.numerics.caps_prompt_logits);
    return {out.data, out.data + out.rows * out.cols};
  }

  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 2});
  ModelFiles files;
  Network network;
  Engine engine;
  std::map<std::string, std::vector<float>, std::less<>> taps;
};

// What computes the reference's logits, which were made without a cache.
constexpr NumericsProfile without_cache(NumericsProfile profile) {
  profile.bf16_cache = false;
  return profile;
}

struct NpzCase {
  std::string folder, file, weights;  // the type whose expected values count
  friend std::ostream& operator<<(std::ostream& out, const NpzCase& c) { return out << c.folder << " " << c.file; }
};

class Npz : public ::testing::TestWithParam<NpzCase> {
 protected:
  const std::string folder = "npz/" + GetParam().folder + "/";
  const Safetensors expected = golden_tensors(folder + "expected.safetensors");

  LoadedFile load(const NumericsProfile& numerics) const {
    return LoadedFile(golden(folder + GetParam().file), numerics);
  }
  std::vector<float> images() const { return values(expected.tensors.at("inputs/image")); }
  std::vector<float> floats(const std::string& name) const {
    return values(expected.tensors.at(GetParam().weights + "/" + name));
  }
};

TEST_P(Npz, ImageEmbeddingsAgree) {
  LoadedFile model = load(kBigVisionNumerics);
  model.see(images());
  EXPECT_LE(relative_rms(model.taps.at("projector"), floats("img/zimg")), test::kTapRelativeRms);
}

TEST_P(Npz, LogitsAgree) {
  LoadedFile model = load(without_cache(kBigVisionNumerics));
  model.see(images());
  const auto text = rows_of(expected.others.at("inputs/text")), causal = rows_of(expected.others.at("inputs/mask_ar")),
             there = rows_of(expected.others.at("inputs/mask_input"));
  const std::vector<float> all = floats("text_logits");
  const std::size_t row = all.size() / text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto length = static_cast<std::size_t>(ones(there[i]));
    const auto actual = model.all_logits(static_cast<std::int64_t>(i), std::span(text[i]).first(length),
                                         text[i].size() - static_cast<std::size_t>(ones(causal[i])));
    const std::size_t size = length * static_cast<std::size_t>(model.files.config.decoder.vocabulary);
    EXPECT_LE(relative_rms(std::span(actual).last(size), std::span(all).subspan(i * row, size)), test::kTapRelativeRms)
        << i;
  }
}

// Up to the first eos: the reference goes on until all answers have one.
TEST_P(Npz, GreedyAnswersAgree) {
  LoadedFile model = load(kBigVisionNumerics);
  model.see(images());
  const auto text = rows_of(expected.others.at("prompt/text")),
             there = rows_of(expected.others.at("prompt/mask_input"));
  auto answers = rows_of(expected.others.at(GetParam().weights + "/greedy/tokens"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto length = static_cast<std::size_t>(ones(there[i]));
    const EnginePrompt prompt = model.prompt(static_cast<std::int64_t>(i), std::span(text[i]).first(length),
                                             static_cast<int>(answers[i].size()));
    if (const auto eos = std::ranges::find(answers[i], 1); eos != answers[i].end())
      answers[i].erase(eos + 1, answers[i].end());
    EXPECT_EQ(model.engine.generate({&prompt, 1}).front().ids, answers[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Npz,
                         ::testing::Values(NpzCase{"pg1", "model.npz", "f32"}, NpzCase{"pg1", "model.bf16.npz", "bf16"},
                                           NpzCase{"pg1", "model.f16.npz", "f16"},  // without params/
                                           NpzCase{"pg2", "model.npz", "f32"}, NpzCase{"pg2", "model.bf16.npz", "bf16"},
                                           NpzCase{"pg2", "model.f16.npz", "f16"},
                                           NpzCase{"pg2_27b", "model.npz", "f32"},
                                           NpzCase{"pg2_27b", "model.bf16.npz", "bf16"}),
                         [](const auto& info) { return info.param.folder + "_" + info.param.weights; });

// Compares with the logits of KerasHub in f32, soft cap and image positions included.
void expect_keras_answers(const std::filesystem::path& path, const std::string& folder) {
  const Safetensors expected = golden_tensors(folder + "/expected.safetensors");
  LoadedFile model(path);
  model.see(values(expected.tensors.at("images")));
  if (model.files.source.dtype("multi_modal_projector.linear.weight") == DType::f32) {  // else computed in bf16
    EXPECT_LE(relative_rms(model.taps.at("projector"), values(expected.tensors.at("image_embeddings"))),
              test::kTapRelativeRms);
  }
  const auto text = rows_of(expected.others.at("token_ids")), there = rows_of(expected.others.at("padding_mask")),
             answer = rows_of(expected.others.at("response_mask"));
  const std::vector<float> all = values(expected.tensors.at("logits"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto length = static_cast<std::size_t>(ones(there[i]));
    const auto actual = model.all_logits(static_cast<std::int64_t>(i), std::span(text[i]).first(length),
                                         length - static_cast<std::size_t>(ones(answer[i])));
    const auto wanted = std::span(all).subspan(i * all.size() / text.size(), actual.size());
    EXPECT_LE(relative_rms(actual, wanted), test::kTapRelativeRms) << i;
  }
}

TEST(KerasHub, LogitsAgree) {
  for (const char* name : {"pg1_f32", "pg2_bf16", "pg2_f32_sharded"}) {
    SCOPED_TRACE(name);
    expect_keras_answers(golden(join("keras/", name)), join("keras/", name));
  }
  expect_keras_answers(golden("keras/pg1_f32/model.keras"), "keras/pg1_f32");
}

// KerasHub scales queries by the head size whatever query_head_dim_normalize says; here the field decides.
TEST(KerasHub, QueryScaleIsWhatTheConfigurationSays) {
  const std::string name = "keras/pg2_27b_f32";
  EXPECT_FLOAT_EQ(open_model_files(golden(name)).config.decoder.query_scale, 1 / std::sqrt(48.0f / 4));
  const test::Scratch scratch;
  std::filesystem::create_symlink(golden(name + "/model.weights.h5"), scratch.path("model.weights.h5"));
  Json config = test::golden_json(name + "/config.json");
  config["config"]["query_head_dim_normalize"] = true;
  scratch.write("config.json", config.dump());
  expect_keras_answers(scratch.folder(), name);
}

}  // namespace
}  // namespace paligemma
