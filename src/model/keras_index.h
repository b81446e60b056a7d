// model.weights.json, the index of a KerasHub preset that is cut into several files:
// {"metadata": ..., "weight_map": {"/layers/reversible_embedding/vars": "model_00000.weights.h5" or a list, ...}}
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace paligemma {

// File -> the groups that it holds variables of, without leading slash. Throws Error{model, "json" | "index"}; all
// files are plain names.
std::map<std::string, std::vector<std::string>> read_keras_index(std::string_view text, const std::string& where);

}  // namespace paligemma
