// An adapter added into the weights that it changes: W' = W + factor B A, in f32, and DoRA's lengths of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "model/adapter.h"
#include "model/checkpoint.h"
#include "ops/pass.h"

namespace paligemma {

// The tensors of `base` with `adapter` merged. What the adapter changes comes in f32 and is to be held as `base` says,
// or as it is asked for. Borrows from all three. Throws Error{model, "adapter_merge"} where the adapter has no equal in
// tensors: a tied embedding that is changed as a table or as a head alone, a bias where the network has none.
TensorSource merged(TensorSource base, const Adapter& adapter, Backend& backend);

// Bytes that merging takes while a network is loaded, beside the network.
std::uint64_t merging_bytes(const Adapter& adapter, const Backend& backend);

// Row by row of the weight, magnitude / |W + factor B A|: (N). Reads the weight from `base`.
std::vector<float> dora_scale(const std::string& name, const LowRankTensors& change, const TensorSource& base,
                              Backend& backend);

// The tensor's numbers times `factor`, and those of a matrix with its axes swapped.
std::vector<float> to_f32(const HostTensor& tensor, double factor = 1);
std::vector<float> transposed(const HostTensor& matrix);

}  // namespace paligemma
