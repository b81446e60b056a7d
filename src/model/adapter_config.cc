#include "model/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace paligemma {
namespace {

constexpr std::int64_t kMaxRank = 1 << 20;
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

class Fields {
 public:
  Fields(const Json& json, std::string_view where) : json_(json), where_(where) {
    if (!json.is_object()) refuse("the file", "an object", json);
  }

  const Json* find(std::string_view key) const {
    const auto at = json_.find(key);
    return at == json_.end() || at->is_null() ? nullptr : &*at;
  }

  bool flag(std::string_view key) const {
    const Json* value = find(key);
    if (!value) return false;
    if (!value->is_boolean()) refuse(key, "true or false", *value);
    return value->get<bool>();
  }

  std::int64_t rank(std::string_view key, const Json& value) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 || value.get<std::uint64_t>() > kMaxRank)
      refuse(key, join("a whole number from 1 to ", kMaxRank), value);
    return value.get<std::int64_t>();
  }

  double alpha(std::string_view key, const Json& value) const {
    constexpr double kLargest = 1e30;  // finite in f32, with room for the rank
    if (!value.is_number() || !(std::abs(value.get<double>()) <= kLargest)) refuse(key, "a number", value);
    return value.get<double>();
  }

  template <class T, class Read>
  std::vector<std::pair<ModulePattern, T>> patterns(std::string_view key, const Read& read) const {
    std::vector<std::pair<ModulePattern, T>> out;
    const Json* object = find(key);
    if (!object) return out;
    if (!object->is_object() || object->size() > kMaxPatterns)
      refuse(key, join("an object with at most ", kMaxPatterns, " members"), *object);
    const std::string where = join(where_, ": ", key);
    for (const auto& [pattern, value] : object->items())
      out.emplace_back(ModulePattern(pattern, where), read(join(key, ": ", pattern), value));
    return out;
  }

  std::vector<std::string> words(std::string_view key) const {
    std::vector<std::string> out;
    const Json* list = find(key);
    if (!list) return out;
    if (!list->is_array() || list->size() > kMaxPatterns)
      refuse(key, join("a list of at most ", kMaxPatterns, " names"), *list);
    for (const Json& value : *list) {
      if (!value.is_string()) refuse(key, "a list of names", *list);
      out.push_back(value.get<std::string>());
    }
    return out;
  }

  // Settings that are on and that this computation does not have. Of fields not known here those that switch something
  // on are refused; numbers and words beside such a switch are not.
  void refuse_unsupported() const {
    const Json* type = find("peft_type");
    if (!type || *type != "LORA") refuse("peft_type", "LORA", type ? *type : Json());
    const Json* init = find("init_lora_weights");
    const bool harmless = !init || init->is_boolean() ||
                          (init->is_string() && std::ranges::count(kHarmlessInits, init->get<std::string>()) > 0);
    if (!harmless)
      refuse("init_lora_weights", "an adapter converted to plain LoRA (path_initial_model_for_weight_conversion)",
             *init);
    for (const auto& [key, value] : json_.items()) {
      const bool on = value.is_boolean() ? value.get<bool>() : value.is_structured() && !value.empty();
      if (on && std::ranges::count(kIgnored, key) == 0) refuse(key, "no such setting, it is not supported", value);
    }
  }

 private:
  [[noreturn]] void refuse(std::string_view key, std::string_view expected, const Json& got) const {
    constexpr std::size_t kShown = 100;
    const std::string text = dump_json(got);
    fail(ErrorKind::model, "adapter_config", "cannot use the adapter: ", where_, ": ", key, ": expected ", expected,
         ", got ", text.substr(0, kShown), text.size() > kShown ? "..." : "");
  }

  const Json& json_;
  std::string_view where_;
};

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
  const Fields fields(json, where);
  fields.refuse_unsupported();
  const auto rank = [&](std::string_view key, const Json& value) { return fields.rank(key, value); };
  const auto alpha = [&](std::string_view key, const Json& value) { return fields.alpha(key, value); };
  AdapterConfig config{.rank_patterns = fields.patterns<std::int64_t>("rank_pattern", rank),
                       .alpha_patterns = fields.patterns<double>("alpha_pattern", alpha),
                       .rslora = fields.flag("use_rslora"),
                       .dora = fields.flag("use_dora"),
                       .lora_bias = fields.flag("lora_bias"),
                       .ties_weights = fields.flag("ensure_weight_tying"),
                       .modules_to_save = fields.words("modules_to_save")};
  if (const Json* value = fields.find("r")) config.rank = rank("r", *value);
  if (const Json* value = fields.find("lora_alpha")) config.alpha = alpha("lora_alpha", *value);
  return config;
}

}  // namespace paligemma
