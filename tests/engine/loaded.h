// A small checkpoint of tests/golden on a back end, with an engine: what the tests of the engine share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "model/adapter_set.h"
#include "model/load.h"
#include "model/merge.h"
#include "support/golden.h"
#include "support/tolerances.h"

namespace paligemma {

using test::golden;
using test::golden_json;
using test::golden_tensors;
using test::ids;
using test::relative_rms;
using test::values;

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
    EXPECT_NEAR(answer.logprobs[i], logprobs[i], test::kLogprob) << "token " << i;
}

inline void expect_scores(const EngineAnswer& answer, const Json& expected) {
  const auto logprobs = expected["logprobs"].get<std::vector<double>>();
  ASSERT_EQ(answer.logprobs.size(), logprobs.size());
  for (std::size_t i = 0; i < logprobs.size(); ++i)
    EXPECT_NEAR(answer.logprobs[i], logprobs[i], test::kLogprob) << "token " << i;
}

using Taps = std::map<std::string, std::vector<float>, std::less<>>;

// Collects taps, rows of later calls after those of earlier ones.
inline void collect(Engine& engine, Taps& taps) {
  engine.tap = [&taps](std::string_view name, ConstView value) {
    auto& all = taps[std::string(name)];
    for (std::int64_t r = 0; r < value.rows; ++r) all.insert(all.end(), value.row(r), value.row(r) + value.cols);
  };
}

// The same tensors as if the file held them in `type`, which f32 ones are rounded to.
inline TensorSource stored_in(DType type, TensorSource source) {
  auto bytes = std::make_shared<std::vector<std::byte>>();
  TensorSource out = source;
  out.dtype = [type](std::string_view) { return type; };
  out.rows = [type, bytes, rows = source.rows](std::string_view name, std::int64_t first, std::int64_t count) {
    HostTensor tensor = rows(name, first, count);
    const std::size_t size = tensor.bytes.size() / sizeof(float);
    bytes->resize(size * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < size; ++i) {
      const std::uint16_t bits = type == DType::bf16 ? f32_to_bf16(tensor.element(i)) : f32_to_f16(tensor.element(i));
      std::memcpy(bytes->data() + i * sizeof bits, &bits, sizeof bits);
    }
    tensor.dtype = type;
    tensor.bytes = *bytes;
    return tensor;
  };
  return out;
}

// The numbers that matrices stand for when they are held so.
inline TensorSource rounded_as(const Holding& holding, TensorSource source, Backend& backend) {
  auto numbers = std::make_shared<std::vector<float>>();
  TensorSource out = source;
  out.dtype = [](std::string_view) { return DType::f32; };
  out.rows = [=, &backend](std::string_view name, std::int64_t first, std::int64_t count) {
    HostTensor tensor = source.rows(name, first, count);
    const Shape whole = tensor.shape;
    const std::int64_t cols = product(whole, 1);
    numbers->resize(static_cast<std::size_t>(count * cols));
    if (whole.size() == 1) {
      for (std::size_t i = 0; i < numbers->size(); ++i) (*numbers)[i] = tensor.element(i);
    } else {
      tensor.shape = {count, cols};
      Weight matrix = backend.make_matrix(count, cols, holding.matrix(name, cols, tensor.dtype));
      backend.place_rows(matrix, 0, tensor);
      std::vector<std::int32_t> rows(static_cast<std::size_t>(count));
      std::iota(rows.begin(), rows.end(), 0);
      backend.embed(matrix, rows, 1, DType::f32, View(numbers->data(), count, cols));
    }
    return HostTensor{DType::f32, whole, std::as_bytes(std::span(*numbers))};
  };
  return out;
}

struct Arithmetic {
  Precision precision = Precision::f32;
  NumericsProfile numerics = kTransformersNumerics;
  std::optional<DType> stored{};     // bf16 or f16 instead of the file's f32
  std::vector<std::string> merge{};  // adapters of tests/golden/lora, merged as the model is loaded and held in f32
  bool tied_head = true;
  bool whole_last_block = false;
  HeldAs held = HeldAs::as_in_file;
  bool as_if_held = false;  // in f32, with the numbers that `held` stands for
  std::int32_t eos = 1;
  std::int64_t draft_rows = 0, cache_bytes = kCacheBytes;  // EngineOptions
};

// `folder` of tests/golden.
struct Loaded {
  Loaded(const std::string& folder, const std::string& isa, const Arithmetic& arithmetic = {})
      : backend(make_cpu_backend({.threads = 2, .isa = isa})),
        checkpoint(Folder::on_disk(golden(folder), ErrorKind::model)),
        source(arithmetic.stored ? stored_in(*arithmetic.stored, checkpoint.source()) : checkpoint.source()),
        config(read_config(golden_json(folder + "/config.json"), source.shape, folder)),
        holding{.held = arithmetic.held, .precision = arithmetic.precision} {
    config.numerics = arithmetic.numerics;
    config.decoder.tied_head = arithmetic.tied_head;
    for (const std::string& name : arithmetic.merge) {
      adapters.push_back(adapter(name));
      source = merged(source, adapters.back(), *backend);
      holding.held = HeldAs::f32;
    }
    if (arithmetic.as_if_held) {
      source = rounded_as(holding, source, *backend);
      holding.held = HeldAs::f32;
    }
    network = load_network(config, source, holding, *backend);
    const EngineOptions options{.precision = arithmetic.precision,
                                .image_token = *config.image_token,
                                .eos_token = arithmetic.eos,
                                .real_vocabulary = *config.image_token,
                                .whole_last_block = arithmetic.whole_last_block,
                                .draft_rows = arithmetic.draft_rows,
                                .cache_bytes = arithmetic.cache_bytes};
    engine = std::make_unique<Engine>(*backend, config, network, options);
  }

  Adapter adapter(const std::string& name) const {
    return read_adapter(Folder::on_disk(golden("lora/" + name), ErrorKind::model), name, config);
  }

  const AdapterSet* attach(const Adapter& adapter) {
    sets.push_back(place_adapter(adapter, network, config, source, holding, *backend));
    return &sets.back();
  }

  // Patch rows of a picture whose value at (channel, y, x) is value(...), in [-1, 1].
  std::vector<float> cut(const std::function<float(std::int64_t, std::int64_t, std::int64_t)>& value) const {
    const std::int64_t patch = config.vision.patch, grid = config.vision.grid;
    std::vector<float> out;
    for (std::int64_t y = 0; y < grid; ++y)
      for (std::int64_t x = 0; x < grid; ++x)
        for (std::int64_t c = 0; c < 3; ++c)
          for (std::int64_t i = 0; i < patch; ++i)
            for (std::int64_t j = 0; j < patch; ++j) out.push_back(value(c, y * patch + i, x * patch + j));
    return out;
  }

  // From (3, side, side) in [0, 255].
  std::vector<float> patches(std::span<const std::byte> pixels) const {
    const std::int64_t side = config.vision.image_size();
    return cut([&](std::int64_t c, std::int64_t y, std::int64_t x) {
      return (static_cast<float>(pixels[static_cast<std::size_t>((c * side + y) * side + x)]) / 255.0f - 0.5f) / 0.5f;
    });
  }

  // `of` has the adapter of each picture, or is empty.
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

// The cases of the model pg2, whose pictures lie beside its taps.
class Pg2Cases : public ::testing::Test {
 protected:
  const Json pairs = golden_json("forward/pg2/case.json")["pairs"];
  const Safetensors taps = golden_tensors("forward/pg2/taps.safetensors");

  std::vector<float> patches(const Loaded& model, std::int64_t pair = 0) const {
    return model.patches(taps.others.at(std::to_string(pair) + "/pixels_u8").bytes);
  }
};

}  // namespace paligemma
