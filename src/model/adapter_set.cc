#include "model/adapter_set.h"

#include "model/merge.h"

namespace paligemma {
namespace {

Weight place_matrix(const std::vector<float>& values, std::int64_t rows, Backend& backend) {
  const std::int64_t cols = static_cast<std::int64_t>(values.size()) / rows;
  Weight weight = backend.make_matrix(rows, cols, DType::f32);
  backend.place_rows(weight, 0, {DType::f32, {rows, cols}, std::as_bytes(std::span(values))});
  return weight;
}

Weight place_vector(const std::vector<float>& values, Backend& backend) {
  const auto size = static_cast<std::int64_t>(values.size());
  return backend.make_vector({DType::f32, {size}, std::as_bytes(std::span(values))}, 1, size);
}

// The whole tensors of an adapter, as a source of tensors.
TensorSource source_of(const Adapter& adapter) {
  const auto find = [&adapter](std::string_view name) -> const HostTensor& {
    return adapter.replaced.find(name)->second;
  };
  return {.shape = [find](std::string_view name) { return find(name).shape; },
          .dtype = [find](std::string_view name) { return find(name).dtype; },
          .rows = [find](std::string_view name, std::int64_t first,
                         std::int64_t count) { return find(name).rows(first, count); },
          .release = [](std::string_view) {}};
}

// Calls f(name, weight, shape, form) for each tensor that an adapter can change: those of the network, and a tied head.
template <class F>
void visit_changeable(Network& network, const Config& config, const F& f) {
  visit(network, config, f);
  Weight& head = network.decoder.embedding;
  if (config.decoder.tied_head)
    f(std::string(kHeadName), head, Shape{config.decoder.vocabulary, config.decoder.width}, Weight::Form::matrix);
}

// `bias` is the layer's, empty when it has none.
LowRank place_product(const std::string& name, const LowRankTensors& change, const std::vector<float>& bias,
                      const TensorSource& source, Backend& backend) {
  LowRank out{.a = place_matrix(to_f32(change.a), change.rank(), backend),
              .b = place_matrix(to_f32(change.b, change.factor), change.b.shape[0], backend)};
  if (change.bias) out.b_bias = place_vector(to_f32(*change.bias, change.factor), backend);
  if (!change.magnitude) return out;
  const std::vector<float> scale = dora_scale(name, change, source, backend);
  std::vector<float> offset(scale.size());
  for (std::size_t i = 0; i < bias.size(); ++i) offset[i] = bias[i] * (1 - scale[i]);
  out.scale = place_vector(scale, backend);
  out.offset = place_vector(offset, backend);
  return out;
}

}  // namespace

std::size_t adapter_bytes(const Adapter& adapter, const Config& config, const Holding& holding,
                          const Backend& backend) {
  std::size_t bytes = 0;
  const auto add = [&](const LowRankTensors& change, bool table) {
    const std::int64_t rank = change.rank(), in = change.a.shape[1], out = change.b.shape[0];
    bytes += table ? backend.matrix_bytes(in, rank, DType::f32) : backend.matrix_bytes(rank, in, DType::f32);
    const int vectors = (change.bias ? 1 : 0) + (change.magnitude ? 2 : 0);
    bytes += backend.matrix_bytes(out, rank, DType::f32) + static_cast<std::size_t>(vectors * out) * sizeof(float);
  };
  for (const auto& [name, change] : adapter.products) add(change, false);
  for (const auto& [name, change] : adapter.tables) add(change, true);
  Network network(config);
  visit_changeable(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
    if (const auto found = adapter.replaced.find(name); found != adapter.replaced.end())
      bytes += tensor_bytes(name, shape, form, found->second.dtype, holding, backend);
  });
  return bytes;
}

AdapterSet place_adapter(const Adapter& adapter, Network& network, const Config& config, const TensorSource& source,
                         const Holding& holding, Backend& backend) {
  AdapterSet set{.name = adapter.name};
  const TensorSource own = source_of(adapter);
  const auto bias_of = [&](const std::string& weight, const LowRankTensors& change) -> std::vector<float> {
    if (!change.layer_has_bias) return {};
    const std::string name = bias_name(weight);
    const auto found = adapter.replaced.find(name);
    return to_f32(found == adapter.replaced.end() ? source.rows(name, 0, change.b.shape[0]) : found->second);
  };
  visit_changeable(
      network, config, [&](const std::string& name, Weight& weight, const Shape& shape, Weight::Form form) {
        const bool changed =
            adapter.replaced.contains(name) || adapter.tables.contains(name) || adapter.products.contains(name);
        if (changed && !name.starts_with("language_model.") && name != kHeadName) set.changes_pictures = true;
        if (adapter.replaced.contains(name)) {
          auto& replaced = name == kEmbeddingName ? set.replaced_tables : set.replaced;
          replaced.emplace(&weight, load_tensor(name, shape, form, own, holding, config.numerics, backend));
        }
        if (const auto found = adapter.tables.find(name); found != adapter.tables.end()) {
          const LowRankTensors& change = found->second;
          const std::int64_t ids = change.a.shape[1];
          set.tables.emplace(&weight,
                             LowRank{.a = place_matrix(transposed(change.a), ids, backend),
                                     .b = place_matrix(to_f32(change.b, change.factor), change.b.shape[0], backend)});
        }
        if (const auto found = adapter.products.find(name); found != adapter.products.end()) {
          const LowRankTensors& change = found->second;
          set.products.emplace(&weight, place_product(name, change, bias_of(name, change), source, backend));
        }
      });
  return set;
}

}  // namespace paligemma
