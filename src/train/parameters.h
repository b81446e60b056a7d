// The tensors that are trained: their numbers in f32, their gradients, and where the forward pass has them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/load.h"
#include "model/module_pattern.h"
#include "ops/tape.h"

namespace paligemma {

struct Parameter {
  std::string name;  // as it is saved
  Shape shape;       // the same
  Weight* placed = nullptr;
  float factor = 1;     // what is placed is so many times the value: LoRA's B
  bool apart = false;   // placed by who computes it of this and others: DoRA's magnitude
  bool matrix = false;  // what weight decay is for
  bool table = false;   // an embedding or a head, which muon leaves to adamw
  std::span<float> value{}, gradient{};

  std::int64_t rows() const { return placed->rows; }
  std::int64_t cols() const { return placed->cols; }
};

class Parameters {
 public:
  explicit Parameters(Backend& backend) : backend_(backend) {}

  // `placed` has its shape and must stay where it is; `initial` are its numbers.
  void add(Parameter parameter, const HostTensor& initial);

  std::vector<Parameter>& all() { return all_; }
  const std::vector<Parameter>& all() const { return all_; }
  std::int64_t count() const;  // of numbers

  void train_on(Tape& tape);  // what their gradients are added to
  void zero_gradients();
  // Gradients of what is placed become those of the values.
  void finish_gradients();
  // Values become what the forward pass computes with.
  void place();

 private:
  Backend& backend_;
  std::vector<Parameter> all_;
  std::vector<std::unique_ptr<float[]>> memory_;
};

// Regular expressions, each of which matches whole names.
class NamePatterns {
 public:
  // `where` names the setting in messages. Throws Error{usage, "pattern"}.
  explicit NamePatterns(std::span<const std::string> patterns, std::string_view where = "--freeze");
  bool match(std::string_view name) const;

 private:
  std::vector<ModulePattern> all_;
};

// Those tensors of the network whose published names match none of `frozen`.
void add_network(Parameters& parameters, Network& network, const Config& config, const TensorSource& source,
                 const NamePatterns& frozen);

}  // namespace paligemma
