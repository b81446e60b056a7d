// What a forward pass did, so that the gradients of a loss can be found: ops record their backward as they run.
//
// Values are known by where they lie, tensors by the place of their Weight. Only what depends on a trained tensor is
// recorded; below the first of them nothing is. A value that an op changes in place keeps one gradient, which the op's
// backward changes in place too, so the residual stream has one buffer for both.
//
// All memory is the arena's. What a recorded op was given must live until the gradients are known: tensors, caches, the
// tables of sequences and adapters of the pass.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "ops/pass.h"

namespace paligemma {

// What a block keeps until its gradients are found: its intermediates, or only its input, from which it runs again.
enum class Keep : std::uint8_t { intermediates, inputs };

struct LoraDropout {
  float rate = 0;
  std::uint64_t seed = 0;  // of this pass
};

class Tape {
 public:
  Tape(Backend& backend, Arena& arena, Keep keep) : backend_(backend), arena_(arena), keep_(keep) {}

  // `gradient` (rows, cols) of the tensor is added to by every backward.
  void train(const Weight& tensor, View gradient);
  bool trains(const Weight* tensor) const { return trained_.contains(tensor); }
  // Runs `body` as if the tensor were not trained.
  void run_without(const Weight& tensor, const std::function<void()>& body);
  // Without rows when the tensor is not trained.
  View tensor_gradient(const Weight* tensor) const;

  // Whether the value depends on a trained tensor, and that it does. Part of a value is known as the value.
  bool wants(ConstView value) const;
  void want(ConstView value);
  // The place of its gradient, which begins as zero.
  View gradient(ConstView value);
  // The same for who writes all of it: where it is `fresh` nothing was there yet, and it holds anything.
  struct Place {
    View at;
    bool fresh = false;
  };
  Place place_of_gradient(ConstView value);
  // Of a value that only one op takes: that op sets it.
  View new_gradient(ConstView value);

  void record(std::function<void()> backward) { nodes_.push_back(std::move(backward)); }
  // Runs what was recorded, last first, and forgets it. The gradient of what the loss depends on is there already.
  void run_backward();

  // Runs `body`, which changes x in place, as one block. See run_block() in ops.h.
  void run_block(const Pass& pass, View x, const std::function<void(Pass&)>& body);
  // Runs `body` and, at once, the backward of what it recorded: for a loss.
  void run_and_return(const std::function<void()>& body);

  // Where keys and values of a layer of a cache came from.
  struct Keys {
    View k, v;
    std::vector<Sequence> sequences;
  };
  void write_keys(const KvCache& cache, std::int64_t layer, Keys keys) { keys_[{&cache, layer}] = std::move(keys); }
  const Keys* keys(const KvCache& cache, std::int64_t layer) const;

  LoraDropout dropout;
  // Of the tensor's own numbers under `dropout`.
  std::uint64_t dropout_seed(const Weight& tensor) const;

 private:
  struct Value {
    std::int64_t rows, cols, stride;
    std::size_t number;  // in the order of want()
    View gradient{};
  };
  struct Trained {
    View gradient;
    std::uint64_t number;
  };
  // How far everything had come.
  struct Mark {
    std::size_t nodes, values;
    Arena::Mark arena;
  };
  Mark mark() const { return {nodes_.size(), order_.size(), arena_.mark()}; }
  void forget_since(const Mark& mark);
  void run_since(std::size_t node);
  std::map<const float*, Value>::const_iterator find(ConstView value) const;
  Value& find_wanted(ConstView value);
  View make_gradient(Value& whole);

  Backend& backend_;
  Arena& arena_;
  Keep keep_;
  std::unordered_map<const Weight*, Trained> trained_;
  std::map<const float*, Value> values_;
  std::vector<const float*> order_;  // of values_
  std::vector<std::function<void()>> nodes_;
  std::map<std::pair<const KvCache*, std::int64_t>, Keys> keys_;
  std::size_t first_value_ = 0;    // values before it are outside of the block whose backward runs
  const float* hidden_ = nullptr;  // input of a block that runs again: not wanted until the block says so
};

}  // namespace paligemma
