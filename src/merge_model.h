// A model with an adapter added into its weights, in f32, as a Hugging Face folder: what transformers loads without
// peft. model/merge.h has the arithmetic.
#pragma once

#include "convert.h"

namespace paligemma {

// Writes `from`, merged with the adapter in the folder `adapter`, to the folder `to`. Without options.weights each
// tensor is held as the model holds it (blocks become bf16). The configuration that is written has the soft caps and
// the divisor of boxes that `model_options` asks for; its tokenizer, and its threads, count too. Throws as convert()
// and read_adapter() do, and Error{model, "adapter_merge"} for an adapter that has no equal in weights.
std::vector<std::string> merge_model(ModelFiles from, const std::filesystem::path& adapter,
                                     const std::filesystem::path& to, const ModelOptions& model_options,
                                     ConvertOptions options, const ConvertProgress& progress = {},
                                     const std::function<bool()>& stop = {});

}  // namespace paligemma
