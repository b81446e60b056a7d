// The names that Keras gives the groups of a .weights.h5.
#pragma once

#include <map>
#include <string>

#include "model/config.h"

namespace paligemma {

// Every group with a "vars" -> the name of its layer, layers without variables included.
std::map<std::string, std::string> keras_group_names(const Config& config);

}  // namespace paligemma
