#include "model/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "io/json_fields.h"

namespace paligemma {
namespace {

constexpr std::size_t kMaxPatterns = 2000;  // and names in a list; the largest model has a quarter as many modules

// Fields that say nothing about what a trained adapter computes, or that the tensors say themselves. PEFT turns
// fan_in_fan_out off for linear layers, and these models have no others.
constexpr std::array<std::string_view, 30> kIgnored = {"auto_mapping",
                                                       "base_model_name_or_path",
                                                       "bias",
                                                       "corda_config",
                                                       "eva_config",
                                                       "exclude_modules",
                                                       "fan_in_fan_out",
                                                       "inference_mode",
                                                       "init_lora_weights",
                                                       "layers_pattern",
                                                       "layers_to_transform",
                                                       "loftq_config",
                                                       "lora_dropout",
                                                       "lora_ga_config",
                                                       "megatron_config",
                                                       "megatron_core",
                                                       "merge_weights",
                                                       "peft_version",
                                                       "qalora_group_size",
                                                       "revision",
                                                       "runtime_config",
                                                       "target_modules",
                                                       "task_type",
                                                       "use_rslora",
                                                       "use_dora",
                                                       "lora_bias",
                                                       "ensure_weight_tying",
                                                       "modules_to_save",
                                                       "rank_pattern",
                                                       "alpha_pattern"};

// The settings of init_lora_weights that leave the base weights as they are; the others subtract from them whatever
// the adapter begins with, each time the adapter is loaded.
constexpr std::array<std::string_view, 3> kHarmlessInits = {"gaussian", "eva", "orthogonal"};

constexpr Limits<std::int64_t> kRanks{1, 1 << 20};
constexpr Limits<double> kAlphas{-1e30, 1e30};  // finite in f32, with room for the rank

// The members of a field, each a pattern of modules and what read(name, value) makes of its value.
template <class T, class Read>
std::vector<std::pair<ModulePattern, T>> read_patterns(const JsonFields& fields, std::string_view key,
                                                       std::string_view where, const Read& read) {
  std::vector<std::pair<ModulePattern, T>> out;
  const Json* object = fields.find(key);
  if (!object) return out;
  if (!object->is_object() || object->size() > kMaxPatterns)
    fields.refuse(key, join("an object with at most ", kMaxPatterns, " members"));
  for (const auto& [pattern, value] : object->items())
    out.emplace_back(ModulePattern(pattern, join(where, ": ", key)), read(join(key, ": ", pattern), value));
  return out;
}

std::vector<std::string> read_names(const JsonFields& fields, std::string_view key) {
  std::vector<std::string> out;
  const Json* list = fields.find(key);
  if (!list) return out;
  if (!list->is_array() || list->size() > kMaxPatterns)
    fields.refuse(key, join("a list of at most ", kMaxPatterns, " names"));
  for (const Json& value : *list) out.push_back(fields.text(key, value));
  return out;
}

// Settings that are on and that this computation does not have. Of fields not known here those that switch something on
// are refused; numbers and words beside such a switch are not.
void refuse_unsupported(const JsonFields& fields) {
  const Json* type = fields.find("peft_type");
  if (!type || *type != "LORA") fields.refuse("peft_type", "LORA");
  const Json* init = fields.find("init_lora_weights");
  const bool harmless = !init || init->is_boolean() ||
                        std::ranges::any_of(kHarmlessInits, [&](std::string_view name) { return *init == name; });
  if (!harmless)
    fields.refuse("init_lora_weights", "an adapter converted to plain LoRA (path_initial_model_for_weight_conversion)");
  for (const auto& [key, value] : fields.object().items()) {
    const bool on = value.is_boolean() ? value.get<bool>() : value.is_structured() && !value.empty();
    if (on && std::ranges::count(kIgnored, key) == 0) fields.refuse(key, "no such setting, it is not supported");
  }
}

template <class T>
T first_match(const std::vector<std::pair<ModulePattern, T>>& patterns, std::span<const std::string> names,
              T otherwise) {
  for (const std::string& name : names)
    for (const auto& [pattern, value] : patterns)
      if (pattern.matches(name)) return value;
  return otherwise;
}

}  // namespace

std::int64_t AdapterConfig::rank_of(std::span<const std::string> module) const {
  return first_match(rank_patterns, module, rank);
}

double AdapterConfig::alpha_of(std::span<const std::string> module) const {
  return first_match(alpha_patterns, module, alpha);
}

double AdapterConfig::factor_of(std::span<const std::string> module) const {
  const auto r = static_cast<double>(rank_of(module));
  return alpha_of(module) / (rslora ? std::sqrt(r) : r);
}

AdapterConfig read_adapter_config(const Json& json, std::string_view where) {
  const JsonFields fields(json, {ErrorKind::model, "adapter_config", "cannot use the adapter", std::string(where)});
  refuse_unsupported(fields);
  const auto rank = [&](const std::string& key, const Json& value) { return fields.whole(key, value, kRanks); };
  const auto alpha = [&](const std::string& key, const Json& value) { return fields.number(key, value, kAlphas); };
  const auto flag = [&](const char* key) { return fields.flag(key).value_or(false); };
  AdapterConfig config{.rank_patterns = read_patterns<std::int64_t>(fields, "rank_pattern", where, rank),
                       .alpha_patterns = read_patterns<double>(fields, "alpha_pattern", where, alpha),
                       .rslora = flag("use_rslora"),
                       .dora = flag("use_dora"),
                       .lora_bias = flag("lora_bias"),
                       .ties_weights = flag("ensure_weight_tying"),
                       .modules_to_save = read_names(fields, "modules_to_save")};
  config.rank = fields.whole("r", kRanks).value_or(config.rank);
  config.alpha = fields.number("lora_alpha", kAlphas).value_or(config.alpha);
  return config;
}

}  // namespace paligemma
