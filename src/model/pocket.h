// The small model that is linked into the library, and the pictures that come with it.
#pragma once

#include <span>
#include <string_view>

#include "io/file.h"

namespace paligemma {

constexpr std::string_view kPocketName = "pocket";

// config.json, tokenizer.json, model.safetensors, ... and "pictures/beach.png", ..., "photograph.png".
Folder pocket_folder();

// The drawn pictures of the model's own world, as names in pocket_folder().
std::span<const std::string_view> pocket_pictures();
// A photograph, which the model has never seen the like of.
constexpr std::string_view kPocketPhotograph = "photograph.png";

}  // namespace paligemma
