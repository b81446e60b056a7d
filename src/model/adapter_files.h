// What the files of a LoRA adapter say by themselves, before it is known what network they are for.
#pragma once

#include <map>
#include <string>

#include "io/safetensors.h"
#include "model/adapter_config.h"

namespace paligemma {

// The low-rank tensors of one module. Null where the file has none.
struct AdapterModule {
  std::string key;     // of the first of them, as written
  std::string module;  // the same without what PEFT puts around it
  const HostTensor *a = nullptr, *b = nullptr, *bias = nullptr, *magnitude = nullptr;
};

struct SavedTensor {
  std::string key;
  const HostTensor* tensor;
};

struct AdapterFiles {
  template <class T>
  using ByName = std::map<std::string, T, std::less<>>;

  std::string where;  // names the file of tensors in messages
  Json json{};        // adapter_config.json
  AdapterConfig config{};
  Safetensors file{};                // what the pointers point into
  ByName<AdapterModule> products{};  // by the canonical name of the weight
  ByName<AdapterModule> tables{};    // the same, of the embedding as a table
  ByName<SavedTensor> saved{};       // whole tensors, by their canonical names
};

inline constexpr const char *kAdapterConfigFile = "adapter_config.json",
                            *kAdapterTensorFile = "adapter_model.safetensors";

// Throws Error{model} as read_adapter() does.
AdapterFiles read_adapter_files(const Folder& folder);

// Throws unless the module has the tensors that the configuration wants, and no others.
void require_parts(const AdapterFiles& files, const AdapterModule& module, bool table);

// The names by which the keys of patterns find a module.
std::vector<std::string> pattern_names(const AdapterModule& module, std::string_view weight);

// The name that transformers 5 gives a module in memory, and adapters trained with it have in their files.
std::string current_module_name(std::string_view published);

// The key of one of the module's tensors.
std::string adapter_key(const AdapterModule& module, std::string_view suffix);
std::string_view a_suffix(bool table);
std::string_view b_suffix(bool table);

[[noreturn]] void refuse_adapter_key(const AdapterFiles& files, std::string_view key);

}  // namespace paligemma
