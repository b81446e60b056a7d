// A model of PaliGemma 2's architecture that has learned nothing yet, of any size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/model_files.h"

namespace paligemma {

// Sizes, all of them: "side=112,patch=14,vision_layers=4,vision_width=128,vision_heads=4,vision_mlp=512,layers=4,
// width=128,heads=4,kv_heads=2,head_size=32,mlp=384,vocabulary=2304", of which each stands for a field of Config.
// Throws Error{usage, "new_model"}.
Config parse_new_model(std::string_view sizes);

// The files of such a model, with the text of its tokenizer.json. What its numbers are follows from `seed`:
//
//   positions of the tower    sines and cosines of rows and columns
//   rows of loc tokens        Fourier features of the place, turned at random, so that near places begin alike
//   other rows                normal, of length 1
//   matrices                  normal, with a variance of 1 / in; of the tower's residual branches 1 / (2 layers in)
//   norms and biases          what changes nothing
//
// Throws Error{usage, "new_model"} for a tokenizer without loc tokens or `<image>`, or with more pieces than the model
// has rows.
ModelFiles new_model_files(Config config, std::string tokenizer, std::uint64_t seed);

}  // namespace paligemma
