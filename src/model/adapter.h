// A LoRA adapter as PEFT writes it: a folder with adapter_config.json and adapter_model.safetensors, checked against
// the network that it is for. Mirrors peft tuners/lora and utils/save_and_load.py.
//
// Names of modules are read in the spellings of all versions of transformers; here tensors have the canonical names of
// model/checkpoint.h.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "io/safetensors.h"
#include "model/adapter_config.h"
#include "model/config.h"

namespace paligemma {

// W' = W + factor B A for a weight W (N, K), of which a convolution's has its inputs in one row; with a magnitude each
// row is then brought to that length (DoRA).
struct LowRankTensors {
  HostTensor a;                                   // (r, K); of a table (r, V)
  HostTensor b;                                   // (N, r); of a table (D, r)
  std::optional<HostTensor> bias{}, magnitude{};  // (N)
  double factor = 1;
  bool layer_has_bias = false;  // the network's own

  std::int64_t rank() const { return a.shape[0]; }
};

struct Adapter {
  template <class T>
  using ByName = std::map<std::string, T, std::less<>>;

  std::string name;  // the folder's
  Safetensors file;  // what the tensors borrow from
  bool tied_head = true;
  ByName<LowRankTensors> products;  // by the name of the weight; also "lm_head.weight" of a tied head
  ByName<LowRankTensors> tables;    // of the embedding as a table: W' = W + factor (B A)^T
  ByName<HostTensor> replaced;      // whole tensors: modules_to_save, biases, saved embeddings
};

inline constexpr std::string_view kEmbeddingName = "language_model.model.embed_tokens.weight";
inline constexpr std::string_view kHeadName = "lm_head.weight";

// "x.bias" beside "x.weight".
std::string bias_name(std::string_view weight);

// Throws Error{model}: "adapter_config" names a field, "adapter_key" a tensor that has no use, "adapter_missing" one
// that is missing, "adapter_shape" shows both shapes, "adapter_format" says what to do about adapter_model.bin.
Adapter read_adapter(const Folder& folder, std::string name, const Config& config);

}  // namespace paligemma
