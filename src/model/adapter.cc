#include "model/adapter.h"

#include <array>
#include <span>

#include "model/checkpoint.h"
#include "model/network.h"

namespace paligemma {
namespace {

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kTensorFile = "adapter_model.safetensors";

// The tensors that one module has in the file.
struct Parts {
  std::string module;  // as written there
  const HostTensor *a = nullptr, *b = nullptr, *bias = nullptr, *magnitude = nullptr;
};

struct Suffix {
  std::string_view text;
  const HostTensor* Parts::* part;
  bool table = false;
};
constexpr std::array kSuffixes = {
    Suffix{".lora_A.weight", &Parts::a},          Suffix{".lora_B.weight", &Parts::b},
    Suffix{".lora_B.bias", &Parts::bias},         Suffix{".lora_magnitude_vector", &Parts::magnitude},
    Suffix{".lora_embedding_A", &Parts::a, true}, Suffix{".lora_embedding_B", &Parts::b, true}};

void erase(std::string& text, std::string_view part, std::string_view by) {
  if (const std::size_t at = text.find(part); at != std::string::npos) text.replace(at, part.size(), by);
}

// The name that transformers 5 gives a module in memory, and the adapters trained with it in their files.
std::string current_name(std::string name) {
  for (const auto& [published, current] : {std::pair{"language_model.model.", "model.language_model."},
                                           std::pair{"vision_tower.vision_model.", "model.vision_tower."},
                                           std::pair{"multi_modal_projector.", "model.multi_modal_projector."}})
    if (name.starts_with(published)) return name.replace(0, std::string_view(published).size(), current);
  return name;
}

class Reader {
 public:
  Reader(const Folder& folder, const Config& config, Adapter& adapter)
      : adapter_(adapter), where_(folder.name + "/" + kTensorFile) {
    const std::string config_where = folder.name + "/" + kConfigFile;
    if (!folder.has(kConfigFile))
      fail(ErrorKind::model, "adapter_missing", "no adapter: ", folder.name, ": expected ", kConfigFile, " and ",
           kTensorFile, ", as PEFT writes them");
    const FileBytes json = folder.open(kConfigFile);
    config_ = read_adapter_config(parse_json(json.text(), config_where, ErrorKind::model), config_where);
    if (!folder.has(kTensorFile) && folder.has("adapter_model.bin"))
      fail(ErrorKind::model, "adapter_format", "cannot read the adapter: ", folder.name, ": expected ", kTensorFile,
           ", got adapter_model.bin, which holds Python objects. Try: save it again from PEFT as safetensors");
    adapter.file = read_safetensors(folder.open(kTensorFile), where_);

    Network network(config);
    visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
      shapes_.emplace(name, Tensor{shape, form == Weight::Form::matrix});
    });
    shapes_.try_emplace(std::string(kHeadName), Tensor{{config.decoder.vocabulary, config.decoder.width}, true});
  }

  void read() {
    for (const auto& [key, tensor] : adapter_.file.others)
      fail(ErrorKind::model, "adapter_key", "cannot use the adapter: ", where_, ": ", key,
           ": expected a type of floating-point numbers, got ", tensor.dtype);
    for (const auto& [key, tensor] : adapter_.file.tensors) take(key, tensor);
    if (products_.empty() && tables_.empty() && adapter_.replaced.empty())
      fail(ErrorKind::model, "adapter_missing", "cannot use the adapter: ", where_, ": expected tensors, got none");
    for (const auto& [name, parts] : products_) adapter_.products.emplace(name, check(name, parts, false));
    for (const auto& [name, parts] : tables_) adapter_.tables.emplace(name, check(name, parts, true));
    check_saved_modules();
    settle_tied_head();
  }

 private:
  struct Tensor {
    Shape shape;
    bool matrix;
  };

  void take(std::string_view key, const HostTensor& tensor) {
    std::string name(key);
    if (name.starts_with("base_model.model.")) erase(name, "base_model.model.", "");
    for (const Suffix& suffix : kSuffixes) {
      if (!name.ends_with(suffix.text)) continue;
      const std::string module = name.substr(0, name.size() - suffix.text.size());
      const std::string weight = canonical_name(module + ".weight");
      const auto found = shapes_.find(weight);
      if (found == shapes_.end() || !found->second.matrix || suffix.table != (weight == kEmbeddingName)) unused(key);
      Parts& parts = (suffix.table ? tables_ : products_)[weight];
      if (parts.*suffix.part) twice(key, weight);
      parts.module = module;
      parts.*suffix.part = &tensor;
      return;
    }
    erase(name, ".modules_to_save.", ".");
    erase(name, ".base_layer.", ".");
    name = canonical_name(name);
    const auto found = shapes_.find(name);
    if (found == shapes_.end()) unused(key);
    expect_shape(key, found->second.shape, tensor);
    if (!adapter_.replaced.emplace(name, tensor).second) twice(key, name);
  }

  LowRankTensors check(const std::string& name, const Parts& parts, bool table) {
    const std::string key = "base_model.model." + parts.module;
    const auto want = [&](const HostTensor* tensor, std::string_view suffix) {
      if (!tensor)
        fail(ErrorKind::model, "adapter_missing", "cannot use the adapter: ", where_, ": tensor ", key, suffix,
             " is missing");
    };
    const std::string a_suffix = table ? ".lora_embedding_A" : ".lora_A.weight";
    const std::string b_suffix = table ? ".lora_embedding_B" : ".lora_B.weight";
    want(parts.a, a_suffix);
    want(parts.b, b_suffix);
    if (parts.magnitude && !config_.dora) unused(key + ".lora_magnitude_vector");
    if (parts.bias && !config_.lora_bias) unused(key + ".lora_B.bias");
    if (config_.dora && table)
      fail(ErrorKind::model, "adapter_config", "cannot use the adapter: ", where_, ": ", key,
           ": DoRA of an embedding is not supported");
    if (config_.dora) want(parts.magnitude, ".lora_magnitude_vector");
    if (config_.lora_bias && !table) want(parts.bias, ".lora_B.bias");

    const std::array names{parts.module, current_name(name.substr(0, name.rfind('.')))};
    const std::int64_t rank = config_.rank_of(names);
    const Shape& shape = shapes_.find(name)->second.shape;
    Shape a{rank, shape[0]}, b{shape[1], rank}, magnitude{shape[0]};
    if (!table) {
      a = shape, b = {shape[0], rank};
      a[0] = rank;
      // A convolution: B is one of 1 x 1, and the magnitude has an axis for each of its own.
      for (std::size_t axis = 2; axis < shape.size(); ++axis) b.push_back(1);
      if (shape.size() > 2) magnitude = {1, shape[0], 1, 1};
    }
    LowRankTensors out{.a = *parts.a, .b = *parts.b, .factor = config_.factor_of(names)};
    out.layer_has_bias = shapes_.contains(bias_name(name));
    expect_shape(key + a_suffix, a, out.a);
    expect_shape(key + b_suffix, b, out.b);
    out.a.shape = {rank, product(a, 1)};
    out.b.shape = {b[0], rank};
    if (parts.bias) out.bias = flat(key + ".lora_B.bias", {shape[0]}, *parts.bias);
    if (parts.magnitude) out.magnitude = flat(key + ".lora_magnitude_vector", magnitude, *parts.magnitude);
    return out;
  }

  HostTensor flat(std::string_view key, const Shape& expected, HostTensor tensor) {
    expect_shape(key, expected, tensor);
    tensor.shape = {product(expected, 0)};
    return tensor;
  }

  // What modules_to_save names and the network has is in the file. As in PEFT, a name stands for all modules whose own
  // name ends so, and for what is inside them.
  void check_saved_modules() {
    for (const std::string& saved : config_.modules_to_save)
      for (const auto& [name, tensor] : shapes_)
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
          if (name.substr(0, dot).ends_with(saved) && !adapter_.replaced.contains(name))
            fail(ErrorKind::model, "adapter_missing", "cannot use the adapter: ", where_, ": modules_to_save names ",
                 saved, ", and its tensor ", name, " is missing");
  }

  // A saved embedding that is no module_to_save is the base model's own with another content, and then the tied head's.
  void settle_tied_head() {
    const auto embedding = adapter_.replaced.find(kEmbeddingName);
    const bool touched = embedding != adapter_.replaced.end() || adapter_.replaced.contains(kHeadName) ||
                         !adapter_.tables.empty() || adapter_.products.contains(kHeadName);
    if (config_.ties_weights && touched)
      fail(ErrorKind::model, "adapter_config", "cannot use the adapter: ", where_,
           ": ensure_weight_tying with a changed embedding or head is not supported");
    if (!adapter_.tied_head || embedding == adapter_.replaced.end()) return;
    for (const std::string& saved : config_.modules_to_save)
      if (std::string_view("language_model.model.embed_tokens").ends_with(saved)) return;
    adapter_.replaced.try_emplace(std::string(kHeadName), embedding->second);
  }

  void expect_shape(std::string_view key, const Shape& expected, const HostTensor& tensor) const {
    if (tensor.shape != expected)
      fail(ErrorKind::model, "adapter_shape", "cannot use the adapter: ", where_, ": ", key, ": expected shape ",
           shape_text(expected), ", got ", shape_text(tensor.shape), " (rank and model say the first)");
  }

  [[noreturn]] void unused(std::string_view key) const {
    fail(ErrorKind::model, "adapter_key", "cannot use the adapter: ", where_, ": tensor ", key,
         " has no use: expected only tensors of this model's modules, in the forms that ", kConfigFile, " names");
  }

  [[noreturn]] void twice(std::string_view key, std::string_view name) const {
    fail(ErrorKind::model, "tensor_twice", "a tensor stands twice: ", where_, ": ", key, ": ", name);
  }

  Adapter& adapter_;
  std::string where_;
  AdapterConfig config_;
  std::map<std::string, Tensor, std::less<>> shapes_;
  std::map<std::string, Parts, std::less<>> products_, tables_;
};

}  // namespace

std::string bias_name(std::string_view weight) { return std::string(weight.substr(0, weight.rfind('.'))) + ".bias"; }

Adapter read_adapter(const Folder& folder, std::string name, const Config& config) {
  Adapter adapter{.name = std::move(name), .tied_head = config.decoder.tied_head};
  Reader(folder, config, adapter).read();
  return adapter;
}

}  // namespace paligemma
