// Where tensors come from, by canonical name.
//
// Canonical names are those of the published checkpoints ("language_model.model.layers.0.mlp.up_proj.weight",
// "vision_tower.vision_model...", "multi_modal_projector.linear.weight", "lm_head.weight"). The other spellings that
// transformers has written since are read as the same tensors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "io/file.h"
#include "io/safetensors.h"

namespace paligemma {

std::string canonical_name(std::string_view name);

// Gives tensors in pieces, so that a model is never twice in memory.
struct TensorSource {
  // Nothing when there is no such tensor. Throws Error{model, "tensor_dtype"} for one of numbers that are not read.
  std::function<std::optional<std::vector<std::int64_t>>(std::string_view name)> shape;
  std::function<DType(std::string_view name)> dtype;
  // Rows [first, first + count) along the first axis, as a (count, ...) tensor. Valid until the next call. What is
  // computed on the way comes in f32, whatever dtype() says that it is in the file.
  std::function<HostTensor(std::string_view name, std::int64_t first, std::int64_t count)> rows;
  // The network has the tensor: what holds it in memory may go. Only what an adapter needs is asked for again.
  std::function<void(std::string_view name)> release;
};

// The tensors of a Hugging Face folder: model.safetensors, or model.safetensors.index.json and its shards.
class Checkpoint {
 public:
  // Throws Error{model}: no weights, a shard that is missing, a name that stands twice, an index that names a tensor
  // its shard does not hold.
  explicit Checkpoint(const Folder& folder);

  struct Entry {
    std::string file_name;  // as written in the file
    std::size_t shard = 0;
    HostTensor tensor;
  };
  const std::map<std::string, Entry, std::less<>>& tensors() const { return tensors_; }
  // canonical name -> dtype as written, for tensors that are of no floating-point type
  const std::map<std::string, std::string, std::less<>>& others() const { return others_; }

  // Borrows from this checkpoint, which must outlive it.
  TensorSource source() const;

 private:
  void add_shard(const Folder& folder, const std::string& file);

  std::vector<Safetensors> shards_;
  std::map<std::string, Entry, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> others_;
};

}  // namespace paligemma
