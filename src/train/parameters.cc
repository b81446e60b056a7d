#include "train/parameters.h"

#include <algorithm>

#include "base/blocks.h"
#include "base/error.h"

namespace paligemma {

void Parameters::add(Parameter parameter, const HostTensor& initial) {
  const std::size_t count = initial.elements();
  if (static_cast<std::int64_t>(count) != parameter.rows() * parameter.cols())
    fail(ErrorKind::failure, "shape", "training ", parameter.name, ": expected ", parameter.rows(), " x ",
         parameter.cols(), " numbers, got ", count);
  memory_.push_back(std::make_unique<float[]>(2 * count));
  parameter.value = {memory_.back().get(), count};
  parameter.gradient = {memory_.back().get() + count, count};
  widen(initial.bytes.data(), initial.dtype, static_cast<std::int64_t>(count), parameter.value.data());
  all_.push_back(std::move(parameter));
}

std::int64_t Parameters::count() const {
  std::int64_t count = 0;
  for (const Parameter& parameter : all_) count += static_cast<std::int64_t>(parameter.value.size());
  return count;
}

void Parameters::train_on(Tape& tape) {
  for (Parameter& p : all_) tape.train(*p.placed, {p.gradient.data(), p.rows(), p.cols()});
}

void Parameters::zero_gradients() {
  for (Parameter& p : all_) std::ranges::fill(p.gradient, 0.0f);
}

void Parameters::finish_gradients() {
  for (Parameter& p : all_)
    if (p.factor != 1)
      for (float& value : p.gradient) value *= p.factor;
}

void Parameters::place() {
  std::vector<float> scaled;
  for (Parameter& p : all_) {
    if (p.apart) continue;
    std::span<const float> values = p.value;
    if (p.factor != 1) {
      scaled.assign(values.begin(), values.end());
      for (float& value : scaled) value *= p.factor;
      values = scaled;
    }
    const HostTensor whole{DType::f32, {p.rows(), p.cols()}, std::as_bytes(values)};
    if (p.placed->form == Weight::Form::vector) {
      *p.placed = backend_.make_vector(whole, p.rows(), p.cols());
      continue;
    }
    backend_.place_rows(*p.placed, 0, whole);
  }
}

NamePatterns::NamePatterns(std::span<const std::string> patterns, std::string_view where) {
  for (const std::string& pattern : patterns) all_.emplace_back(pattern, where, ModulePattern::Of::whole);
}

bool NamePatterns::match(std::string_view name) const {
  return std::ranges::any_of(all_, [&](const ModulePattern& one) { return one.matches(name); });
}

void add_network(Parameters& parameters, Network& network, const Config& config, const TensorSource& source,
                 const NamePatterns& frozen) {
  visit(network, config, [&](const std::string& name, Weight& weight, const Shape& shape, Weight::Form form) {
    if (frozen.match(name)) return;
    parameters.add({.name = name,
                    .shape = shape,
                    .placed = &weight,
                    .matrix = form == Weight::Form::matrix,
                    .table = &weight == &network.decoder.embedding || &weight == &network.decoder.head},
                   source.rows(name, 0, shape[0]));
  });
}

}  // namespace paligemma
