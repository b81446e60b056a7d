// A LoRA adapter that is trained: its tensors are parameters, and an AdapterSet is what the forward pass computes with.
#pragma once

#include "model/adapter_set.h"
#include "train/parameters.h"

namespace paligemma {

struct LoraOptions {
  std::int64_t rank = 8;
  double alpha = 16;
  bool rslora = false;  // the factor is alpha / sqrt(rank), not alpha / rank
  float dropout = 0;
  // Of published names of modules or of their weights; empty: all projections of the decoder.
  std::vector<std::string> targets{};
};

// The modules, by their published names, that get something of low rank. Throws Error{usage, "targets"} when none does.
std::vector<std::string> lora_modules(const Config& config, const LoraOptions& options);

class TrainedAdapter {
 public:
  // What it is part of. `set` becomes what the forward pass computes with; all must stay where they are.
  struct Place {
    Network& network;
    const Config& config;
    const TensorSource& source;
    const Holding& holding;
    Backend& backend;
    Parameters& parameters;
    AdapterSet& set;
  };
  // One that changes nothing yet: A is uniform in +-1/sqrt(in) as PEFT begins it, B is 0.
  TrainedAdapter(const LoraOptions& options, std::uint64_t seed, const Place& place);
  // Goes on from one that is there. Throws Error{usage, "adapter"} for what cannot be trained: tables.
  TrainedAdapter(Adapter adapter, const Place& place);

  const AdapterSet& set() const { return set_; }
  // The tensors as they are now; borrows from the parameters.
  const Adapter& tensors() const { return adapter_; }

  // Around those of Parameters: what DoRA computes of several of them.
  void train_on(Tape& tape);
  void finish_gradients();
  void place();

 private:
  struct Dora {
    std::string name;
    std::size_t magnitude;  // its parameter
    LowRank* change;
    std::vector<float> bias, offset_gradient;  // of the layer; empty without a bias
  };
  void begin(const Place& place);

  Backend& backend_;
  Parameters& parameters_;
  TensorSource source_;
  Adapter adapter_;
  AdapterSet& set_;
  std::vector<Dora> doras_;
};

}  // namespace paligemma
