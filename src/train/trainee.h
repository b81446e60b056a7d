// A model that is opened to be trained: the pipeline that answers, and in it the tensors that change.
#pragma once

#include <memory>
#include <optional>

#include "model/adapter_writer.h"
#include "pipeline.h"
#include "train/dense_head.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/trained_adapter.h"

namespace paligemma {

struct Trainee {
  ModelFiles files;
  std::unique_ptr<Pipeline> pipeline;
  std::optional<Parameters> parameters;
  std::optional<TrainedAdapter> adapter;  // absent: the network itself is trained
  Json adapter_config;                    // of `adapter`, as it will be saved
  std::optional<DenseHead> dense;
  std::optional<Optimizer> optimizer;

  void train_on(Tape& tape);
  void finish_gradients();
  void place();
  const AdapterSet* adapter_set() const { return adapter ? &adapter->set() : nullptr; }
  // Whether what the vision tower makes of a picture stays the same.
  bool tower_is_frozen() const;
};

// What a recipe says of the model it begins with.
ModelOptions model_options(const Recipe& recipe);
OptimizerOptions optimizer_options(const Recipe& recipe);

// Opens the recipe's model; `adapter` is one to go on from, empty: a new one. Throws as open_pipeline() does, and
// Error{usage} for what cannot be trained so.
std::unique_ptr<Trainee> open_trainee(const Recipe& recipe, ModelFiles files,
                                      const std::filesystem::path& adapter = {});

// The tensors of the network as they are trained, for who saves them. Borrows from the trainee.
TensorSource trained_source(const Trainee& trainee);

}  // namespace paligemma
