#include "train/new_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/named_numbers.h"
#include "base/random.h"
#include "model/network.h"
#include "text/tokenizer.h"

namespace paligemma {
namespace {

constexpr std::int64_t kMostSize = 1 << 20, kMostLayers = 1024;

struct SizeField {
  std::string_view name;
  std::int64_t* field;
  std::int64_t most;
};

[[noreturn]] void refuse(std::string_view expected, std::string_view got) {
  fail(ErrorKind::usage, "new_model", "no such model: --new-model: expected ", expected, ", got ", got);
}

// Standard normal numbers by their place (Box and Muller).
class Normal {
 public:
  explicit Normal(std::uint64_t seed) : seed_(seed) {}
  double next() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform(seed_, 2 * count_)));
    return radius * std::cos(2 * std::numbers::pi * uniform(seed_, 2 * count_++ + 1));
  }

 private:
  std::uint64_t seed_, count_ = 0;
};

std::vector<float> normal_numbers(std::size_t count, double deviation, Normal& normal) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(deviation * normal.next());
  return values;
}

// A quarter of the width each: sine and cosine of the row, of the column, from a quarter of a turn over the picture to
// one over two patches.
std::vector<float> plane_waves(const VisionConfig& vision) {
  constexpr double kAmplitude = 0.7, kLeastTurns = 0.25;
  const std::int64_t waves = vision.width / 4, grid = vision.grid;
  std::vector<float> values(static_cast<std::size_t>(vision.tokens() * vision.width));
  const double range = static_cast<double>(grid) / 2 / kLeastTurns;
  for (std::int64_t token = 0; token < vision.tokens(); ++token)
    for (std::int64_t i = 0; i < waves; ++i) {
      const double turns = kLeastTurns * std::pow(range, static_cast<double>(i) /
                                                             static_cast<double>(std::max<std::int64_t>(waves - 1, 1)));
      float* const at = values.data() + token * vision.width + i;
      const std::array<std::int64_t, 2> place{token / grid, token % grid};
      for (std::size_t axis = 0; axis < 2; ++axis) {
        const double angle =
            2 * std::numbers::pi * turns * (static_cast<double>(place[axis]) + 0.5) / static_cast<double>(grid);
        at[static_cast<std::int64_t>(2 * axis) * waves] = static_cast<float>(kAmplitude * std::sin(angle));
        at[static_cast<std::int64_t>(2 * axis + 1) * waves] = static_cast<float>(kAmplitude * std::cos(angle));
      }
    }
  return values;
}

// (kLocTokens, width): features of waves whose weight falls with the root of their frequency, times a random matrix.
std::vector<float> place_rows(std::int64_t width, Normal& normal) {
  constexpr std::int64_t kWaves = 48;
  double square = 0;
  for (std::int64_t k = 1; k <= kWaves; ++k) square += 1 / static_cast<double>(k);
  const std::vector<float> turn =
      normal_numbers(static_cast<std::size_t>(2 * kWaves * width), 1 / std::sqrt(static_cast<double>(width)), normal);
  std::vector<float> rows(static_cast<std::size_t>(kLocTokens * width));
  for (std::int64_t loc = 0; loc < kLocTokens; ++loc)
    for (std::int64_t k = 1; k <= kWaves; ++k) {
      const double angle = std::numbers::pi * static_cast<double>(k * loc) / static_cast<double>(kLocTokens - 1);
      const double size = 1 / std::sqrt(static_cast<double>(k) * square);
      const float* const first = turn.data() + 2 * (k - 1) * width;
      for (std::int64_t c = 0; c < width; ++c)
        rows[static_cast<std::size_t>(loc * width + c)] +=
            static_cast<float>(size * (std::cos(angle) * first[c] + std::sin(angle) * first[width + c]));
    }
  return rows;
}

using Numbers = std::map<std::string, std::vector<float>, std::less<>>;

std::vector<float> first_numbers(const std::string& name, const Shape& shape, const Config& config,
                                 std::int64_t loc_begin, Normal& normal) {
  const auto count = static_cast<std::size_t>(product(shape, 0));
  const bool vision = name.starts_with("vision_tower.");
  if (name.ends_with("position_embedding.weight")) return plane_waves(config.vision);
  if (name.ends_with(".bias")) return std::vector<float>(count);
  if (shape.size() == 1) return std::vector<float>(count, vision ? 1.0f : 0.0f);
  const auto in = static_cast<double>(product(shape, 1));
  if (name.ends_with("embed_tokens.weight")) {
    std::vector<float> rows = normal_numbers(count, 1 / std::sqrt(in), normal);
    std::ranges::copy(place_rows(shape[1], normal), rows.begin() + loc_begin * shape[1]);
    return rows;
  }
  const bool branch = vision && (name.ends_with("out_proj.weight") || name.ends_with("fc2.weight"));
  return normal_numbers(count, 1 / std::sqrt(branch ? in * 2 * static_cast<double>(config.vision.layers) : in), normal);
}

// What transformers has to know of a tokenizer.json.
Json tokenizer_config() {
  return {{"tokenizer_class", "PreTrainedTokenizerFast"},
          {"processor_class", "PaliGemmaProcessor"},
          {"bos_token", "<bos>"},
          {"eos_token", "<eos>"},
          {"pad_token", "<pad>"},
          {"unk_token", "<unk>"},
          {"image_token", "<image>"},
          {"padding_side", "left"},
          {"clean_up_tokenization_spaces", false}};
}

}  // namespace

Config parse_new_model(std::string_view sizes) {
  Config config;
  VisionConfig& v = config.vision;
  DecoderConfig& d = config.decoder;
  std::int64_t side = 0;
  const std::array fields{SizeField{"side", &side, kMostSize},
                          SizeField{"patch", &v.patch, kMostSize},
                          SizeField{"vision_layers", &v.layers, kMostLayers},
                          SizeField{"vision_width", &v.width, kMostSize},
                          SizeField{"vision_heads", &v.heads, kMostSize},
                          SizeField{"vision_mlp", &v.mlp, kMostSize},
                          SizeField{"layers", &d.layers, kMostLayers},
                          SizeField{"width", &d.width, kMostSize},
                          SizeField{"heads", &d.heads, kMostSize},
                          SizeField{"kv_heads", &d.kv_heads, kMostSize},
                          SizeField{"head_size", &d.head_size, kMostSize},
                          SizeField{"mlp", &d.mlp, kMostSize},
                          SizeField{"vocabulary", &d.vocabulary, kMostSize}};
  const char* const expected =
      "sizes as in side=112,patch=14,vision_layers=4,vision_width=128,vision_heads=4,"
      "vision_mlp=512,layers=4,width=128,heads=4,kv_heads=2,head_size=32,mlp=384,vocabulary=2304";
  const std::string_view wrong = read_named_numbers(sizes, [&](std::string_view name, double value) {
    const auto found = std::ranges::find(fields, name, &SizeField::name);
    if (found == fields.end() || !(value >= 1 && value <= static_cast<double>(found->most)) ||
        value != std::floor(value))
      return false;
    *found->field = static_cast<std::int64_t>(value);
    return true;
  });
  if (!wrong.empty()) refuse(expected, wrong);
  for (const SizeField& field : fields)
    if (*field.field == 0) refuse(expected, join("no ", field.name));
  if (side % v.patch != 0) refuse("a side of whole patches", join(side, " and patches of ", v.patch));
  if (v.width % (4 * v.heads) != 0)
    refuse("a vision_width that is a multiple of four times the heads", join(v.width, " and ", v.heads, " heads"));
  if (d.heads % d.kv_heads != 0 || d.head_size % 2 != 0)
    refuse("heads in groups of kv_heads, and an even head_size", sizes);
  v.grid = side / v.patch;
  d.gemma2 = true;
  d.query_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d.head_size)));
  d.declared_window = kNominalWindow;
  return config;
}

ModelFiles new_model_files(Config config, std::string tokenizer, std::uint64_t seed) {
  const Tokenizer words = Tokenizer::from_json(tokenizer, "the tokenizer of a new model");
  if (!words.loc_begin() || !words.image() || words.size() > config.decoder.vocabulary)
    refuse(join("a tokenizer with loc tokens and <image> of at most ", config.decoder.vocabulary, " pieces"),
           join(words.size(), " pieces"));
  config.image_token = words.image();
  struct Owner {
    std::map<std::string, std::string, std::less<>> texts;  // of files
    Numbers numbers{};
    std::map<std::string, Shape, std::less<>> shapes{};
  };
  const auto owner = std::make_shared<Owner>(
      Owner{{{"tokenizer.json", std::move(tokenizer)}, {"tokenizer_config.json", tokenizer_config().dump(2) + "\n"}}});
  Normal normal(seed);
  Network network(config);
  visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form) {
    owner->numbers[name] = first_numbers(name, shape, config, *words.loc_begin(), normal);
    owner->shapes[name] = shape;
  });

  ModelFiles files{.where = "a new model", .config = config, .tokenizer_names = {"tokenizer.json"}, .owner = owner};
  files.source = {.shape = [owner](std::string_view name) -> std::optional<Shape> {
                    const auto found = owner->shapes.find(name);
                    return found == owner->shapes.end() ? std::optional<Shape>() : found->second;
                  },
                  .dtype = [](std::string_view) { return DType::f32; },
                  .rows =
                      [owner](std::string_view name, std::int64_t first, std::int64_t count) {
                        return HostTensor{DType::f32, owner->shapes.find(name)->second,
                                          std::as_bytes(std::span(owner->numbers.find(name)->second))}
                            .rows(first, count);
                      },
                  .release = [](std::string_view) {}};
  files.folder = {.name = files.where,
                  .has = [owner](std::string_view name) { return owner->texts.contains(name); },
                  .open =
                      [owner](std::string_view name) {
                        const auto found = owner->texts.find(name);
                        if (found == owner->texts.end())
                          fail(ErrorKind::model, "file_not_found", "no such file: a new model: ", name);
                        return FileBytes::copy(std::as_bytes(std::span(found->second)));
                      }};
  files.tokenizer_folder = files.folder;
  return files;
}

}  // namespace paligemma
