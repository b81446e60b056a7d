// stage 5/8: embeddings (R, D) -> logits (R, V). Gemma 1 and Gemma 2: big_vision models/ppp/gemma.py, transformers
// models/gemma, models/gemma2. The same function prefills, decodes and scores: only the table of sequences differs.
#pragma once

#include "model/network.h"

namespace paligemma {

// Text embeddings, scaled by sqrt(D): (R, D). Rows of pictures are to be overwritten with the projector's output, which
// is not scaled.
View embed_text(Pass& pass, const Config& config, const Network& network, std::span<const std::int32_t> ids);

// The rows of x, from `row` on those of `ids`, that stand for pictures become the pictures' embeddings (tokens, D) one
// after the other.
void insert_pictures(Pass& pass, std::span<const std::int32_t> ids, std::int32_t image_token,
                     std::span<const ConstView> pictures, View x, std::int64_t row);

// x (R, D) is the residual stream and is changed. Returns the final norm's output: of all rows (R, D), or, where `kept`
// is given, of the last kept[i] rows of sequence i, packed in that order. Their bits are the same; the last block does
// less. Keys and values of all rows are added to the cache. On a tape `sequences`, the cache and the pass's adapters
// must live until the gradients are known.
View decoder(Pass& pass, const Config& config, const Network& network, View x, KvCache& cache,
             std::span<const Sequence> sequences, std::span<const std::int64_t> kept = {});

// (R, D) -> (R, V), with the final soft cap that the configuration says, or without.
View logits(Pass& pass, const Config& config, const Network& network, ConstView rows, bool capped = true);

}  // namespace paligemma
