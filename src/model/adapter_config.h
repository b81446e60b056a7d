// adapter_config.json of PEFT: what the numbers of a LoRA adapter depend on. Mirrors peft tuners/lora/config.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/json.h"
#include "model/module_pattern.h"

namespace paligemma {

struct AdapterConfig {
  std::int64_t rank = 8;
  double alpha = 8;
  std::vector<std::pair<ModulePattern, std::int64_t>> rank_patterns{};  // the first that matches counts
  std::vector<std::pair<ModulePattern, double>> alpha_patterns{};
  bool rslora = false;
  bool dora = false;
  bool lora_bias = false;
  bool ties_weights = false;  // ensure_weight_tying
  std::vector<std::string> modules_to_save{};

  // Of a module that has the given names, the earlier ones first.
  std::int64_t rank_of(std::span<const std::string> module) const;
  double alpha_of(std::span<const std::string> module) const;
  // What B A is multiplied by.
  double factor_of(std::span<const std::string> module) const;
};

// `where` names the file in messages. Throws Error{model, "adapter_config"} that names the field: bad values, and
// settings that would change the numbers in a way that is not computed here.
AdapterConfig read_adapter_config(const Json& json, std::string_view where);

}  // namespace paligemma
