// Brings an adapter's tensors into the form that a back end computes with.
#pragma once

#include "model/adapter.h"
#include "model/load.h"

namespace paligemma {

// Bytes that the adapter will take, without placing any of it.
std::size_t adapter_bytes(const Adapter& adapter, const Config& config, const Holding& holding, const Backend& backend);

// `network` has its tensors and stays where it is: the set knows them by their places. `source` is where they came
// from; DoRA reads the weights that it changes once more. Matrices of low rank are held in f32, whole tensors as
// `holding` says.
AdapterSet place_adapter(const Adapter& adapter, Network& network, const Config& config, const TensorSource& source,
                         const Holding& holding, Backend& backend);

}  // namespace paligemma
