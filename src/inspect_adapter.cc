#include "inspect_adapter.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "inspect.h"
#include "model/trained_numerics.h"

namespace paligemma {
namespace {

using Kind = InspectedModules::Kind;

// "language_model.model.layers.*.mlp.up_proj" and 3 of "language_model.model.layers.3.mlp.up_proj".
std::pair<std::string, std::optional<std::int64_t>> without_layer(const std::string& name) {
  constexpr std::string_view kLayers = ".layers.";
  const std::size_t at = name.find(kLayers);
  if (at == std::string::npos) return {name, {}};
  const char *begin = name.data() + at + kLayers.size(), *end = name.data() + name.size();
  std::int64_t layer = 0;
  const auto [stop, wrong] = std::from_chars(begin, end, layer);
  if (wrong != std::errc{} || stop == end || *stop != '.') return {name, {}};
  return {name.substr(0, at + kLayers.size()) + "*" + std::string(stop, end), layer};
}

class AdapterInspector {
 public:
  AdapterInspector(const AdapterFiles& files, AdapterInspection& out) : files_(files), out_(out) {}

  void inspect() {
    for (const auto& [weight, module] : files_.products) add_low_rank(weight, module, Kind::low_rank);
    for (const auto& [weight, module] : files_.tables) add_low_rank(weight, module, Kind::table);
    for (const auto& [name, saved] : files_.saved)
      add_tensor(group(name, {.kind = Kind::whole, .dtype = std::string(paligemma::name(saved.tensor->dtype))}),
                 saved.key, *saved.tensor);
    for (auto& [key, modules] : groups_) {
      std::ranges::sort(modules.layers);
      out_.modules.push_back(std::move(modules));
    }
  }

 private:
  void add_low_rank(const std::string& weight, const AdapterModule& module, Kind kind) {
    const bool table = kind == Kind::table;
    require_parts(files_, module, table);
    const std::vector<std::string> names = pattern_names(module, weight);
    const std::int64_t rank = files_.config.rank_of(names);
    require_rank(adapter_key(module, a_suffix(table)), *module.a, 0, rank);
    require_rank(adapter_key(module, b_suffix(table)), *module.b, 1, rank);
    InspectedModules& modules =
        group(weight.substr(0, weight.rfind('.')), {.kind = kind,
                                                    .dtype = std::string(paligemma::name(module.a->dtype)),
                                                    .rank = rank,
                                                    .alpha = files_.config.alpha_of(names),
                                                    .factor = files_.config.factor_of(names)});
    add_tensor(modules, adapter_key(module, a_suffix(table)), *module.a);
    add_tensor(modules, adapter_key(module, b_suffix(table)), *module.b);
    if (module.bias) add_tensor(modules, adapter_key(module, ".lora_B.bias"), *module.bias);
    if (module.magnitude) add_tensor(modules, adapter_key(module, ".lora_magnitude_vector"), *module.magnitude);
  }

  void require_rank(const std::string& key, const HostTensor& tensor, std::size_t axis, std::int64_t rank) const {
    if (tensor.shape.size() < 2 || tensor.shape[axis] != rank)
      fail(ErrorKind::model, "adapter_shape", "cannot use the adapter: ", files_.where, ": ", key, ": expected rank ",
           rank, " as ", kAdapterConfigFile, " says, got shape ", shape_text(tensor.shape));
  }

  // The modules like this one, of which `like` has what they have in common but for the name.
  InspectedModules& group(const std::string& name, InspectedModules like) {
    std::optional<std::int64_t> layer;
    std::tie(like.name, layer) = without_layer(name);
    const Key key{like.name, like.kind, like.dtype, like.rank, like.alpha};
    InspectedModules& modules = groups_.try_emplace(key, std::move(like)).first->second;
    if (layer) modules.layers.push_back(*layer);
    return modules;
  }

  void add_tensor(InspectedModules& modules, const std::string& key, const HostTensor& tensor) {
    modules.parameters += tensor.elements();
    modules.bytes += tensor.bytes.size();
    out_.parameters += tensor.elements();
    out_.bytes += tensor.bytes.size();
    if (const std::uint64_t count = count_not_finite(tensor.dtype, tensor.bytes); count > 0)
      out_.warnings.push_back(not_finite_warning(key, count));
  }

  using Key = std::tuple<std::string, Kind, std::string, std::int64_t, double>;

  const AdapterFiles& files_;
  AdapterInspection& out_;
  std::map<Key, InspectedModules> groups_;
};

std::string_view kind_word(Kind kind) {
  switch (kind) {
    case Kind::table: return "table";
    case Kind::whole: return "whole";
    case Kind::low_rank: break;
  }
  return "low_rank";
}

}  // namespace

bool holds_adapter(const std::filesystem::path& path) {
  std::error_code error;
  const auto has = [&](const char* name) { return std::filesystem::exists(path / name, error); };
  return (has(kAdapterConfigFile) || has(kAdapterTensorFile)) && !has("model.safetensors") &&
         !has("model.safetensors.index.json");
}

AdapterInspection inspect_adapter(const Folder& folder, std::string name) {
  AdapterFiles files = read_adapter_files(folder);
  AdapterInspection out{.name = std::move(name), .json = files.json};
  if (const auto base = out.json.find("base_model_name_or_path"); base != out.json.end() && base->is_string())
    out.base_model = base->get<std::string>();
  if (const auto numerics = read_trained_numerics(folder)) out.score_calibration = numerics->score_calibration;
  AdapterInspector(files, out).inspect();
  out.config = std::move(files.config);
  return out;
}

Json adapter_inspection_json(const AdapterInspection& inspection) {
  const AdapterConfig& config = inspection.config;
  const auto as_written = [&](const char* key) {
    const auto found = inspection.json.find(key);
    return found == inspection.json.end() ? Json() : *found;
  };
  Json modules = Json::array();
  for (const InspectedModules& m : inspection.modules) {
    modules.push_back({{"name", m.name}, {"kind", kind_word(m.kind)}, {"layers", m.layers}, {"dtype", m.dtype}});
    if (m.kind != Kind::whole) modules.back().update({{"rank", m.rank}, {"alpha", m.alpha}, {"factor", m.factor}});
    modules.back().update({{"parameters", m.parameters}, {"bytes", m.bytes}});
  }
  Json warnings = Json::array();
  for (const Warning& warning : inspection.warnings)
    warnings.push_back({{"code", warning.code}, {"text", warning.text}});
  return {{"schema", "paligemma.inspect_adapter/1"},
          {"adapter", inspection.name},
          {"base_model", inspection.base_model.empty() ? Json() : Json(inspection.base_model)},
          {"parameters", inspection.parameters},
          {"bytes", inspection.bytes},
          {"rank", config.rank},
          {"alpha", config.alpha},
          {"rslora", config.rslora},
          {"dora", config.dora},
          {"lora_bias", config.lora_bias},
          {"rank_pattern", as_written("rank_pattern")},
          {"alpha_pattern", as_written("alpha_pattern")},
          {"target_modules", as_written("target_modules")},
          {"modules_to_save", config.modules_to_save},
          {"score_calibration", calibration_json(inspection.score_calibration)},
          {"modules", modules},
          {"warnings", warnings}};
}

}  // namespace paligemma
