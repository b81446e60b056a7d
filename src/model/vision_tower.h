// stage 3/8: patches (R, P) -> features (R, E), and stage 4/8: features (R, E) -> image embeddings (R, D).
//
// SigLIP So400m/14 and relatives: big_vision models/vit.py, transformers models/siglip. R = pictures * tokens.
#pragma once

#include "model/network.h"

namespace paligemma {

// Keys and values of up to `pictures` pictures in one layer at a time, used again from layer to layer; or in all
// layers, for a tape.
struct VisionMemory {
  KvCache cache;
  std::vector<Sequence> sequences;  // of the last call
  std::vector<std::int32_t> blocks;
  std::int64_t blocks_each = 0;
};
VisionMemory make_vision_memory(Backend& backend, const VisionConfig& config, std::int64_t pictures,
                                Precision precision, bool for_tape = false);

View vision_tower(Pass& pass, const VisionConfig& config, const VisionTower& tower, ConstView patches,
                  VisionMemory& memory);

View projector(Pass& pass, const Network& network, ConstView features);

}  // namespace paligemma
