// The sizes and constants of a checkpoint.
//
// The shapes of the tensors decide. A field of config.json's text_config or vision_config that the computation uses and
// that disagrees with them is an error that shows both. The top-level hidden_size and vision_config.num_positions are
// wrong in published files and never read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "io/file.h"
#include "io/json_fields.h"
#include "model/numerics.h"
#include "model/score_calibration.h"

namespace paligemma {

struct VisionConfig {
  std::int64_t width = 0;  // E
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t mlp = 0;
  std::int64_t patch = 0;  // pixels a side
  std::int64_t grid = 0;   // patches a side
  float eps = 1e-6f;

  std::int64_t tokens() const { return grid * grid; }
  std::int64_t image_size() const { return grid * patch; }
  std::int64_t head_size() const { return width / heads; }
  std::int64_t patch_values() const { return 3 * patch * patch; }
};

// What transformers and KerasHub say of Gemma 2; training had no window.
constexpr std::int64_t kNominalWindow = 4096;

struct DecoderConfig {
  bool gemma2 = false;     // four norms a block; else Gemma 1 with two
  std::int64_t width = 0;  // D
  std::int64_t layers = 0;
  std::int64_t heads = 0;       // N
  std::int64_t kv_heads = 0;    // K
  std::int64_t head_size = 0;   // H
  std::int64_t mlp = 0;         // F
  std::int64_t vocabulary = 0;  // rows of the embedding, padding included
  bool tied_head = true;
  float query_scale = 0;
  float attention_cap = 0;  // 0: none
  float final_cap = 0;      // 0: none
  double rope_theta = 10000;
  float eps = 1e-6f;
  std::int64_t max_positions = 8192;
  // sliding_window of the file; 0: none. Nothing computes with it unless it is made the window.
  std::int64_t declared_window = 0;
  // On layers 0, 2, 4, ... a row behind the prefix sees the last so many keys, itself included; 0: all.
  std::int64_t window = 0;
};

constexpr Limits<std::int64_t> kNoiseBoxes{0, 256};

struct Config {
  VisionConfig vision;
  DecoderConfig decoder;
  std::optional<int> image_token;  // id of <image>
  int loc_divisor = 1023;
  // Detection was learnt with lists that boxes of no object fill up to so many (engine/noise_boxes.h); 0: without.
  int noise_boxes = 0;
  std::optional<ScoreCalibration> score_calibration;  // nothing: boxes are scored by loc_geomean
  NumericsProfile numerics = kTransformersNumerics;
};

// Shape of a tensor by its canonical name (model/checkpoint.h), or nothing.
using ShapeLookup = std::function<std::optional<std::vector<std::int64_t>>(std::string_view name)>;

// Complains of a configuration's fields. `json` must outlive them.
JsonFields config_fields(const Json& json, std::string_view where);

// Throws Error{model, "config"} when a needed tensor is missing, a field disagrees with a shape, or a field asks for a
// computation that is not PaliGemma's. `where` names the file in messages.
Config read_config(const Json& json, const ShapeLookup& shape, std::string_view where);

// The same from the folder's config.json. Also throws Error{model, "no_config"} when there is none.
Config read_config(const Folder& folder, const ShapeLookup& shape);

// The other way round: a config.json that transformers 4 and 5 load, and that read_config() makes `config` of. `dtype`
// is the type of the weights.
Json config_json(const Config& config, DType dtype);

}  // namespace paligemma
