// A model that runs in no time, whose sizes differ where that tells them apart.
#pragma once

#include "model/config.h"

namespace paligemma {

inline Config tiny_config() {
  Config config;
  config.vision = {.width = 32, .layers = 2, .heads = 2, .mlp = 96, .patch = 14, .grid = 4};
  config.decoder = {.gemma2 = true,
                    .width = 64,
                    .layers = 3,
                    .heads = 4,
                    .kv_heads = 2,
                    .head_size = 32,
                    .mlp = 160,
                    .vocabulary = 256,
                    .query_scale = 0.25f,
                    .attention_cap = 50,
                    .final_cap = 30};
  config.image_token = 200;
  return config;
}

}  // namespace paligemma
