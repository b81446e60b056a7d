#include "model/adapter_files.h"

#include <array>

#include "base/error.h"
#include "model/adapter.h"
#include "model/checkpoint.h"

namespace paligemma {
namespace {

struct Suffix {
  std::string_view text;
  const HostTensor* AdapterModule::* part;
  bool table = false;
};
constexpr std::array kSuffixes = {
    Suffix{".lora_A.weight", &AdapterModule::a},          Suffix{".lora_B.weight", &AdapterModule::b},
    Suffix{".lora_B.bias", &AdapterModule::bias},         Suffix{".lora_magnitude_vector", &AdapterModule::magnitude},
    Suffix{".lora_embedding_A", &AdapterModule::a, true}, Suffix{".lora_embedding_B", &AdapterModule::b, true}};
constexpr std::string_view kPrefix = "base_model.model.";

// "x.y" of "x.level.y".
void leave_out(std::string& name, std::string_view level) {
  if (const std::size_t at = name.find(join('.', level, '.')); at != std::string::npos)
    name.erase(at, level.size() + 1);
}

[[noreturn]] void refuse_second(const AdapterFiles& files, std::string_view key, std::string_view name) {
  fail(ErrorKind::model, "tensor_twice", "a tensor stands twice: ", files.where, ": ", key, ": ", name);
}

void sort_in(AdapterFiles& files, const std::string& key, const HostTensor& tensor) {
  std::string name = key;
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  for (const Suffix& suffix : kSuffixes) {
    if (!name.ends_with(suffix.text)) continue;
    const std::string module = name.substr(0, name.size() - suffix.text.size());
    const std::string weight = canonical_name(module + ".weight");
    if (suffix.table != (weight == kEmbeddingName)) refuse_adapter_key(files, key);
    AdapterModule& parts = (suffix.table ? files.tables : files.products)[weight];
    if (parts.*suffix.part) refuse_second(files, key, weight);
    if (parts.key.empty()) parts.key = key;
    parts.module = module;
    parts.*suffix.part = &tensor;
    return;
  }
  leave_out(name, "modules_to_save");
  leave_out(name, "base_layer");
  name = canonical_name(name);
  if (!files.saved.emplace(name, SavedTensor{key, &tensor}).second) refuse_second(files, key, name);
}

}  // namespace

std::string current_module_name(std::string_view published) {
  std::string name(published);
  for (const auto& [before, now] : {std::pair{"language_model.model.", "model.language_model."},
                                    std::pair{"vision_tower.vision_model.", "model.vision_tower."},
                                    std::pair{"multi_modal_projector.", "model.multi_modal_projector."}})
    if (name.starts_with(before)) return name.replace(0, std::string_view(before).size(), now);
  return name;
}

AdapterFiles read_adapter_files(const Folder& folder) {
  if (!folder.has(kAdapterConfigFile))
    fail(ErrorKind::model, "adapter_missing", "no adapter: ", folder.name, ": expected ", kAdapterConfigFile, " and ",
         kAdapterTensorFile, ", as PEFT writes them");
  const std::string config_where = folder.name + "/" + kAdapterConfigFile;
  AdapterFiles files{.where = folder.name + "/" + kAdapterTensorFile};
  files.json = parse_json(folder.open(kAdapterConfigFile).text(), config_where, ErrorKind::model);
  files.config = read_adapter_config(files.json, config_where);
  if (!folder.has(kAdapterTensorFile) && folder.has("adapter_model.bin"))
    fail(ErrorKind::model, "adapter_format", "cannot read the adapter: ", folder.name, ": expected ",
         kAdapterTensorFile,
         ", got adapter_model.bin, which holds Python objects. Try: save it again from PEFT as safetensors");
  files.file = read_safetensors(folder.open(kAdapterTensorFile), files.where);
  for (const auto& [key, tensor] : files.file.others)
    fail(ErrorKind::model, "adapter_key", "cannot use the adapter: ", files.where, ": ", key,
         ": expected a type of floating-point numbers, got ", tensor.dtype);
  for (const auto& [key, tensor] : files.file.tensors) sort_in(files, key, tensor);
  if (files.file.tensors.empty())
    fail(ErrorKind::model, "adapter_missing", "cannot use the adapter: ", files.where, ": expected tensors, got none");
  return files;
}

void require_parts(const AdapterFiles& files, const AdapterModule& module, bool table) {
  const auto want = [&](const HostTensor* tensor, std::string_view suffix) {
    if (!tensor)
      fail(ErrorKind::model, "adapter_missing", "cannot use the adapter: ", files.where, ": tensor ",
           adapter_key(module, suffix), " is missing");
  };
  want(module.a, a_suffix(table));
  want(module.b, b_suffix(table));
  const AdapterConfig& config = files.config;
  if (module.magnitude && !config.dora) refuse_adapter_key(files, adapter_key(module, ".lora_magnitude_vector"));
  if (module.bias && !config.lora_bias) refuse_adapter_key(files, adapter_key(module, ".lora_B.bias"));
  if (config.dora && table)
    fail(ErrorKind::model, "adapter_config", "cannot use the adapter: ", files.where, ": ", adapter_key(module, ""),
         ": DoRA of an embedding is not supported");
  if (config.dora) want(module.magnitude, ".lora_magnitude_vector");
  if (config.lora_bias && !table) want(module.bias, ".lora_B.bias");
}

std::vector<std::string> pattern_names(const AdapterModule& module, std::string_view weight) {
  return {module.module, current_module_name(std::string(weight.substr(0, weight.rfind('.'))))};
}

std::string adapter_key(const AdapterModule& module, std::string_view suffix) {
  return join(kPrefix, module.module, suffix);
}
std::string_view a_suffix(bool table) { return table ? ".lora_embedding_A" : ".lora_A.weight"; }
std::string_view b_suffix(bool table) { return table ? ".lora_embedding_B" : ".lora_B.weight"; }

void refuse_adapter_key(const AdapterFiles& files, std::string_view key) {
  fail(ErrorKind::model, "adapter_key", "cannot use the adapter: ", files.where, ": tensor ", key,
       " has no use: expected only tensors of this model's modules, in the forms that ", kAdapterConfigFile, " names");
}

}  // namespace paligemma
