#include "train/trained_adapter.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/error.h"
#include "base/random.h"
#include "model/merge.h"

namespace paligemma {
namespace {

constexpr std::string_view kWeight = ".weight";

// Every matrix that a low rank can be added to: not the tables.
template <class F>
void visit_modules(const Config& config, const F& f) {
  Network network(config);
  visit(network, config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
    if (form == Weight::Form::matrix && name != kEmbeddingName && name != kHeadName)
      f(name.substr(0, name.size() - kWeight.size()), shape);
  });
}

std::vector<float> uniform_a(std::int64_t rank, std::int64_t in, std::uint64_t seed) {
  std::vector<float> a(static_cast<std::size_t>(rank * in));
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(bound * (2 * uniform(seed, i) - 1));
  return a;
}

}  // namespace

std::vector<std::string> lora_modules(const Config& config, const LoraOptions& options) {
  std::vector<std::string> targets = options.targets;
  if (targets.empty()) targets = {"language_model\\..*_proj"};
  const NamePatterns patterns(targets);
  std::vector<std::string> modules;
  visit_modules(config, [&](const std::string& module, const Shape&) {
    if (patterns.match(module) || patterns.match(module + std::string(kWeight))) modules.push_back(module);
  });
  if (modules.empty())
    fail(ErrorKind::usage, "targets", "no module matches --targets: expected a regular expression for whole names as ",
         "language_model.model.layers.0.self_attn.q_proj, got ", targets.front());
  return modules;
}

TrainedAdapter::TrainedAdapter(const LoraOptions& options, std::uint64_t seed, Network& network, const Config& config,
                               const TensorSource& source, const Holding& holding, Backend& backend,
                               Parameters& parameters)
    : backend_(backend), parameters_(parameters), source_(source) {
  adapter_.tied_head = config.decoder.tied_head;
  const double factor = options.alpha / (options.rslora ? std::sqrt(static_cast<double>(options.rank))
                                                        : static_cast<double>(options.rank));
  const std::vector<std::string> modules = lora_modules(config, options);
  std::deque<std::vector<float>> numbers;  // until they are parameters
  visit_modules(config, [&](const std::string& module, const Shape& shape) {
    if (std::ranges::find(modules, module) == modules.end()) return;
    const std::int64_t in = product(shape, 1);
    numbers.push_back(uniform_a(options.rank, in, splitmix64(seed, numbers.size())));
    const std::vector<float>& a = numbers.back();
    numbers.emplace_back(static_cast<std::size_t>(shape[0] * options.rank));
    const std::vector<float>& b = numbers.back();
    adapter_.products[module + std::string(kWeight)] = {
        .a = {DType::f32, {options.rank, in}, std::as_bytes(std::span(a))},
        .b = {DType::f32, {shape[0], options.rank}, std::as_bytes(std::span(b))},
        .factor = factor};
  });
  begin(network, config, holding);
}

TrainedAdapter::TrainedAdapter(Adapter adapter, Network& network, const Config& config, const TensorSource& source,
                               const Holding& holding, Backend& backend, Parameters& parameters)
    : backend_(backend), parameters_(parameters), source_(source), adapter_(std::move(adapter)) {
  begin(network, config, holding);
}

// Makes parameters of the adapter's tensors, and lets the adapter borrow from those.
void TrainedAdapter::begin(Network& network, const Config& config, const Holding& holding) {
  if (!adapter_.tables.empty())
    fail(ErrorKind::usage, "adapter", "cannot train the adapter ", adapter_.name,
         ": expected changes of projections, got one of the embedding as a table");
  set_ = place_adapter(adapter_, network, config, source_, holding, backend_);
  const auto train = [&](const std::string& name, HostTensor& tensor, Weight& placed, Parameter parameter) {
    parameter.name = name, parameter.shape = tensor.shape, parameter.placed = &placed;
    parameters_.add(std::move(parameter), tensor);
    tensor.dtype = DType::f32;
    tensor.bytes = std::as_bytes(parameters_.all().back().value);
  };
  visit(network, config, [&](const std::string& name, Weight& weight, const Shape&, Weight::Form form) {
    if (const auto found = adapter_.products.find(name); found != adapter_.products.end()) {
      LowRankTensors& change = found->second;
      LowRank& placed = set_.products.at(&weight);
      const std::string module = name.substr(0, name.size() - kWeight.size());
      const auto factor = static_cast<float>(change.factor);
      train(module + ".lora_A.weight", change.a, placed.a, {.matrix = true});
      train(module + ".lora_B.weight", change.b, placed.b, {.factor = factor, .matrix = true});
      if (change.bias) train(module + ".lora_B.bias", *change.bias, placed.b_bias, {.factor = factor});
      if (change.magnitude) {
        Dora dora{.name = name, .magnitude = parameters_.all().size(), .change = &placed};
        if (change.layer_has_bias) {
          dora.bias = to_f32(source_.rows(bias_name(name), 0, change.b.shape[0]));
          dora.offset_gradient.resize(dora.bias.size());
        }
        train(module + ".lora_magnitude_vector", *change.magnitude, placed.scale, {.apart = true});
        doras_.push_back(std::move(dora));
      }
    }
    if (const auto found = adapter_.replaced.find(name); found != adapter_.replaced.end()) {
      auto& replaced = name == kEmbeddingName ? set_.replaced_tables : set_.replaced;
      train(name, found->second, replaced.at(&weight), {.matrix = form == Weight::Form::matrix});
    }
  });
}

void TrainedAdapter::train_on(Tape& tape) {
  parameters_.train_on(tape);
  for (Dora& dora : doras_) {
    if (dora.bias.empty()) continue;
    std::ranges::fill(dora.offset_gradient, 0.0f);
    tape.train(dora.change->offset, {dora.offset_gradient.data(), 1, std::ssize(dora.offset_gradient)});
  }
}

// scale = magnitude / length of the row, and the length counts as constant: as peft has it. What is added to the output
// is bias (1 - scale).
void TrainedAdapter::finish_gradients() {
  parameters_.finish_gradients();
  for (const Dora& dora : doras_) {
    Parameter& magnitude = parameters_.all()[dora.magnitude];
    const ConstView scale = dora.change->scale.view();
    for (std::size_t i = 0; i < magnitude.value.size(); ++i) {
      float& gradient = magnitude.gradient[i];
      if (!dora.bias.empty()) gradient -= dora.bias[i] * dora.offset_gradient[i];
      gradient *= scale.data[i] / magnitude.value[i];
    }
  }
}

void TrainedAdapter::place() {
  parameters_.place();
  for (Dora& dora : doras_) {
    const std::vector<float> scale = dora_scale(dora.name, adapter_.products.at(dora.name), source_, backend_);
    std::vector<float> offset(scale.size());
    for (std::size_t i = 0; i < dora.bias.size(); ++i) offset[i] = dora.bias[i] * (1 - scale[i]);
    const auto vector = [&](const std::vector<float>& values) {
      const auto size = static_cast<std::int64_t>(values.size());
      return backend_.make_vector({DType::f32, {size}, std::as_bytes(std::span(values))}, 1, size);
    };
    dora.change->scale = vector(scale);
    dora.change->offset = vector(offset);
  }
}

}  // namespace paligemma
