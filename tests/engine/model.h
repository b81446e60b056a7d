// What tests of the engine share: an engine on a golden checkpoint, prompts out of cases, and how answers are compared.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "model/adapter_set.h"
#include "model/load.h"
#include "model/merge.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma {

using testing::golden;
using testing::golden_json;
using testing::golden_tensors;
using testing::ids;
using testing::relative_rms;
using testing::values;

// An engine on a checkpoint of tests/golden/models.
struct TestModel {
  // `merge` names adapters of tests/golden/lora that are merged as the model is loaded, and held in f32.
  TestModel(const std::string& folder, const std::string& isa, Precision precision,
            const std::vector<std::string>& merge = {}, bool tied_head = true)
      : backend(make_cpu_backend({.threads = 2, .isa = isa})),
        checkpoint(Folder::on_disk(golden("models/" + folder), ErrorKind::model)),
        source(checkpoint.source()),
        config(read_config(golden_json("models/" + folder + "/config.json"), source.shape, folder)),
        holding{.precision = precision} {
    config.decoder.tied_head = tied_head;
    for (const std::string& name : merge) {
      adapters.push_back(adapter(name));
      source = merged(source, adapters.back(), *backend);
      holding.held = HeldAs::f32;
    }
    network = load_network(config, source, holding, *backend);
    engine = make_engine(precision);
  }

  Adapter adapter(const std::string& name) const {
    return read_adapter(Folder::on_disk(golden("lora/" + name), ErrorKind::model), name, config);
  }

  const AdapterSet* attach(const Adapter& adapter) {
    sets.push_back(place_adapter(adapter, network, config, source, holding, *backend));
    return &sets.back();
  }

  std::unique_ptr<Engine> make_engine(Precision precision) {
    const EngineOptions options{.precision = precision,
                                .image_token = *config.image_token,
                                .eos_token = 1,
                                .real_vocabulary = *config.image_token};
    return std::make_unique<Engine>(*backend, config, network, options);
  }

  // (B, 3, side, side) in [0, 255] to patch rows in [-1, 1].
  std::vector<float> patches(std::span<const std::byte> pixels) const {
    const std::int64_t side = config.vision.image_size(), patch = config.vision.patch, grid = config.vision.grid;
    std::vector<float> out;
    for (std::int64_t y = 0; y < grid; ++y)
      for (std::int64_t x = 0; x < grid; ++x)
        for (std::int64_t c = 0; c < 3; ++c)
          for (std::int64_t i = 0; i < patch; ++i)
            for (std::int64_t j = 0; j < patch; ++j) {
              const auto at = static_cast<std::size_t>((c * side + y * patch + i) * side + x * patch + j);
              out.push_back((static_cast<float>(pixels[at]) / 255.0f - 0.5f) / 0.5f);
            }
    return out;
  }

  void see(const std::vector<std::vector<float>>& pictures, const std::vector<const AdapterSet*>& of = {}) {
    std::vector<float> all;
    for (const auto& picture : pictures) all.insert(all.end(), picture.begin(), picture.end());
    engine->encode_pictures(
        {all.data(), static_cast<std::int64_t>(pictures.size()) * config.vision.tokens(), config.vision.patch_values()},
        of);
  }

  EngineAnswer answer(const EnginePrompt& prompt) { return engine->generate({&prompt, 1}).front(); }

  std::unique_ptr<Backend> backend;
  Checkpoint checkpoint;
  TensorSource source;
  Config config;
  Holding holding;
  std::deque<Adapter> adapters;
  Network network;
  std::deque<AdapterSet> sets;
  std::unique_ptr<Engine> engine;
};

inline EnginePrompt make_prompt(const Json& case_, int max_tokens, std::vector<std::int64_t> pictures = {0}) {
  EnginePrompt prompt{.ids = ids(case_["input_ids"]), .pictures = std::move(pictures), .max_tokens = max_tokens};
  prompt.prefix = static_cast<std::int64_t>(prompt.ids.size());
  return prompt;
}

// The suffix of a case is what its ids have beyond the prompt's; eos is the last label and not given.
inline EnginePrompt make_scoring(const Json& case_, std::vector<std::int64_t> pictures = {0}) {
  EnginePrompt prompt = make_prompt(case_, 0, std::move(pictures));
  const auto whole = ids(case_["suffix"]["input_ids"]);
  prompt.suffix.assign(whole.begin() + static_cast<std::ptrdiff_t>(prompt.ids.size()), whole.end());
  if (prompt.suffix.back() == 1) prompt.suffix.pop_back();
  return prompt;
}

inline void expect_answer(const EngineAnswer& answer, const Json& expected) {
  EXPECT_EQ(answer.ids, ids(expected["ids"]));
  const auto logprobs = expected["logprobs"].get<std::vector<double>>();
  ASSERT_EQ(answer.logprobs.size(), logprobs.size());
  for (std::size_t i = 0; i < logprobs.size(); ++i)
    EXPECT_NEAR(answer.logprobs[i], logprobs[i], testing::kLogprob) << "token " << i;
}

inline void expect_scores(const EngineAnswer& answer, const Json& expected) {
  const auto logprobs = expected["logprobs"].get<std::vector<double>>();
  ASSERT_EQ(answer.logprobs.size(), logprobs.size());
  for (std::size_t i = 0; i < logprobs.size(); ++i)
    EXPECT_NEAR(answer.logprobs[i], logprobs[i], testing::kLogprob) << "token " << i;
}

using Taps = std::map<std::string, std::vector<float>, std::less<>>;

// Collects taps, rows of later calls after those of earlier ones.
inline void collect(Engine& engine, Taps& taps) {
  engine.tap = [&taps](std::string_view name, ConstView value) {
    auto& all = taps[std::string(name)];
    for (std::int64_t r = 0; r < value.rows; ++r) all.insert(all.end(), value.row(r), value.row(r) + value.cols);
  };
}

}  // namespace paligemma
