#include "bench/shapes.h"

#include <cmath>
#include <map>
#include <memory>
#include <random>

#include "base/error.h"
#include "model/network.h"

namespace paligemma {
namespace {

struct ModelSize {
  std::string_view name;
  bool gemma2;
  std::int64_t width, layers, mlp, heads, kv_heads, head_size, query_scale_base;
};

constexpr ModelSize kSizes[] = {
    {"paligemma-3b", false, 2048, 18, 16384, 8, 1, 256, 256},
    {"paligemma2-3b", true, 2304, 26, 9216, 8, 4, 256, 256},
    {"paligemma2-10b", true, 3584, 42, 14336, 16, 8, 256, 256},
    {"paligemma2-28b", true, 4608, 46, 36864, 32, 16, 128, 144},
};
constexpr std::int64_t kImageSizes[] = {224, 448, 896};
constexpr std::int64_t kPatch = 14;

Config make_config(const ModelSize& size, std::int64_t image_size) {
  Config config;
  config.vision = {.width = 1152, .layers = 27, .heads = 16, .mlp = 4304, .patch = kPatch, .grid = image_size / kPatch};
  config.decoder = {.gemma2 = size.gemma2,
                    .width = size.width,
                    .layers = size.layers,
                    .heads = size.heads,
                    .kv_heads = size.kv_heads,
                    .head_size = size.head_size,
                    .mlp = size.mlp,
                    .vocabulary = 257216,
                    .query_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size.query_scale_base))),
                    .attention_cap = size.gemma2 ? 50.0f : 0.0f,
                    .final_cap = size.gemma2 ? 30.0f : 0.0f};
  config.image_token = 257152;
  return config;
}

// Pseudo-random bf16 numbers in [-scale, scale), generated from their place so that pieces can be made in any order.
class RandomTensors {
 public:
  RandomTensors(const Config& config, std::uint64_t seed) : seed_(seed) {
    Network network(config);
    visit(network, config,
          [&](const std::string& name, Weight&, const Shape& shape, Weight::Form) { shapes_.emplace(name, shape); });
  }

  const Shape* shape(std::string_view name) const {
    const auto found = shapes_.find(name);
    return found == shapes_.end() ? nullptr : &found->second;
  }

  HostTensor rows(std::string_view name, std::int64_t first, std::int64_t count) {
    Shape shape = *this->shape(name);
    std::int64_t row_size = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) row_size *= shape[i];
    const float scale = shape.size() == 1 ? 0.1f : std::sqrt(3.0f / static_cast<float>(row_size));
    shape[0] = count;
    values_.resize(static_cast<std::size_t>(count * row_size));
    std::uint64_t state =
        seed_ ^ (std::hash<std::string_view>{}(name) + static_cast<std::uint64_t>(first) * 0x9e3779b97f4a7c15u);
    for (std::uint16_t& value : values_) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const float unit = static_cast<float>(static_cast<std::int32_t>(state >> 32)) * 0x1p-31f;
      value = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(unit * scale) >> 16);
    }
    return {DType::bf16, shape, std::as_bytes(std::span(values_))};
  }

 private:
  std::uint64_t seed_;
  std::map<std::string, Shape, std::less<>> shapes_;
  std::vector<std::uint16_t> values_;
};

}  // namespace

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const ModelSize& size : kSizes)
    for (const std::int64_t image_size : kImageSizes)
      names.push_back(std::string(size.name) + "-" + std::to_string(image_size));
  return names;
}

std::optional<Config> shape_config(std::string_view name) {
  for (const ModelSize& size : kSizes)
    for (const std::int64_t image_size : kImageSizes)
      if (name == std::string(size.name) + "-" + std::to_string(image_size)) return make_config(size, image_size);
  return {};
}

Config published_config(std::string_view name) {
  if (const auto config = shape_config(name)) return *config;
  std::string names;
  for (const std::string& known : shape_names()) names += (names.empty() ? "" : ", ") + known;
  fail(ErrorKind::usage, "shape", "unknown shape: expected one of ", names, ", got ", name);
}

TensorSource random_source(const Config& config, std::uint64_t seed) {
  const auto tensors = std::make_shared<RandomTensors>(config, seed);
  return {
      .shape = [tensors](std::string_view name) -> std::optional<Shape> {
        const Shape* shape = tensors->shape(name);
        if (!shape) return {};
        return *shape;
      },
      .dtype = [](std::string_view) { return DType::bf16; },
      .rows = [tensors](std::string_view name, std::int64_t first,
                        std::int64_t count) { return tensors->rows(name, first, count); },
      .release = [](std::string_view) {},
  };
}

std::vector<float> random_patches(const Config& config, int pictures) {
  std::vector<float> patches(
      static_cast<std::size_t>(pictures * config.vision.tokens() * config.vision.patch_values()));
  std::mt19937 random(1);
  for (float& value : patches) value = static_cast<float>(random() % 256) / 127.5f - 1.0f;
  return patches;
}

}  // namespace paligemma
