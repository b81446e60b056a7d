// The published sizes by name, and random weights for them, so that any size can be exercised without its checkpoint.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint.h"
#include "model/config.h"

namespace paligemma {

// "paligemma-3b-224", "paligemma2-10b-448", ...: big_vision models/ppp/gemma.py and models/vit.py.
std::vector<std::string> shape_names();
std::optional<Config> shape_config(std::string_view name);
// The same. Throws Error{usage, "shape"} for an unknown name.
Config published_config(std::string_view name);

// bf16 tensors of `config`'s shapes with a spread that keeps activations in the range of a trained model's. The same
// values for the same seed.
TensorSource random_source(const Config& config, std::uint64_t seed);

// Pixels of as many pictures, as the vision tower takes them: (P tokens, patch values).
std::vector<float> random_patches(const Config& config, int pictures);

}  // namespace paligemma
