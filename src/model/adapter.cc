#include "model/adapter.h"

#include "model/adapter_files.h"
#include "model/checkpoint.h"
#include "model/network.h"

namespace paligemma {
namespace {

class Reader {
 public:
  Reader(const Folder& folder, const Config& config, Adapter& adapter)
      : adapter_(adapter), files_(read_adapter_files(folder)) {
    Network network(config);
    visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
      shapes_.emplace(name, Tensor{shape, form == Weight::Form::matrix});
    });
    shapes_.try_emplace(std::string(kHeadName), Tensor{{config.decoder.vocabulary, config.decoder.width}, true});
  }

  void read() {
    require_uses();
    for (const auto& [name, saved] : files_.saved) {
      expect_shape(saved.key, shapes_.find(name)->second.shape, *saved.tensor);
      adapter_.replaced.emplace(name, *saved.tensor);
    }
    for (const auto& [name, module] : files_.products) adapter_.products.emplace(name, check(name, module, false));
    for (const auto& [name, module] : files_.tables) adapter_.tables.emplace(name, check(name, module, true));
    check_saved_modules();
    settle_tied_head();
    adapter_.file = std::move(files_.file);
  }

 private:
  struct Tensor {
    Shape shape;
    bool matrix;
  };

  // Shapes of another model would say less than the tensors that this one does not have.
  void require_uses() const {
    for (const auto* modules : {&files_.products, &files_.tables})
      for (const auto& [name, module] : *modules)
        if (const auto found = shapes_.find(name); found == shapes_.end() || !found->second.matrix)
          refuse_adapter_key(files_, module.key);
    for (const auto& [name, saved] : files_.saved)
      if (!shapes_.contains(name)) refuse_adapter_key(files_, saved.key);
  }

  LowRankTensors check(const std::string& name, const AdapterModule& module, bool table) {
    require_parts(files_, module, table);
    const std::vector<std::string> names = pattern_names(module, name);
    const std::int64_t rank = files_.config.rank_of(names);
    const Shape& shape = shapes_.find(name)->second.shape;
    Shape a{rank, shape[0]}, b{shape[1], rank}, magnitude{shape[0]};
    if (!table) {
      a = shape, b = {shape[0], rank};
      a[0] = rank;
      // A convolution: B is one of 1 x 1, and the magnitude has an axis for each of its own.
      for (std::size_t axis = 2; axis < shape.size(); ++axis) b.push_back(1);
      if (shape.size() > 2) magnitude = {1, shape[0], 1, 1};
    }
    LowRankTensors out{.a = *module.a, .b = *module.b, .factor = files_.config.factor_of(names)};
    out.layer_has_bias = shapes_.contains(bias_name(name));
    expect_shape(adapter_key(module, a_suffix(table)), a, out.a);
    expect_shape(adapter_key(module, b_suffix(table)), b, out.b);
    out.a.shape = {rank, product(a, 1)};
    out.b.shape = {b[0], rank};
    if (module.bias) out.bias = flat(adapter_key(module, ".lora_B.bias"), {shape[0]}, *module.bias);
    if (module.magnitude)
      out.magnitude = flat(adapter_key(module, ".lora_magnitude_vector"), magnitude, *module.magnitude);
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
    for (const std::string& saved : files_.config.modules_to_save)
      for (const auto& [name, tensor] : shapes_)
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
          if (name.substr(0, dot).ends_with(saved) && !adapter_.replaced.contains(name))
            fail(ErrorKind::model, "adapter_missing", "cannot use the adapter: ", files_.where,
                 ": modules_to_save names ", saved, ", and its tensor ", name, " is missing");
  }

  // A saved embedding that is no module_to_save is the base model's own with another content, and then the tied head's.
  void settle_tied_head() {
    const auto embedding = adapter_.replaced.find(kEmbeddingName);
    const bool touched = embedding != adapter_.replaced.end() || adapter_.replaced.contains(kHeadName) ||
                         !adapter_.tables.empty() || adapter_.products.contains(kHeadName);
    if (files_.config.ties_weights && touched)
      fail(ErrorKind::model, "adapter_config", "cannot use the adapter: ", files_.where,
           ": ensure_weight_tying with a changed embedding or head is not supported");
    if (!adapter_.tied_head || embedding == adapter_.replaced.end()) return;
    for (const std::string& saved : files_.config.modules_to_save)
      if (std::string_view("language_model.model.embed_tokens").ends_with(saved)) return;
    adapter_.replaced.try_emplace(std::string(kHeadName), embedding->second);
  }

  void expect_shape(std::string_view key, const Shape& expected, const HostTensor& tensor) const {
    if (tensor.shape != expected)
      fail(ErrorKind::model, "adapter_shape", "cannot use the adapter: ", files_.where, ": ", key, ": expected shape ",
           shape_text(expected), ", got ", shape_text(tensor.shape), " (rank and model say the first)");
  }

  Adapter& adapter_;
  AdapterFiles files_;
  std::map<std::string, Tensor, std::less<>> shapes_;
};

}  // namespace

std::string bias_name(std::string_view weight) { return std::string(weight.substr(0, weight.rfind('.'))) + ".bias"; }

Adapter read_adapter(const Folder& folder, std::string name, const Config& config) {
  Adapter adapter{.name = std::move(name), .tied_head = config.decoder.tied_head};
  Reader(folder, config, adapter).read();
  return adapter;
}

}  // namespace paligemma
