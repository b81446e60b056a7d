// Memory that answering takes beside the weights, and what bounds it when there are several answers.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "model/config.h"

namespace paligemma {

// Questions that the program answers at once: decode steps of several answers take little longer than those of one, and
// the first result is not long in coming.
constexpr std::int64_t kTypicalBatch = 4;

// Most that the keys and values of several answers take together; one that needs more gets it.
constexpr std::int64_t kCacheBytes = std::int64_t{512} << 20;
// Most that the activations of several prompts take on their way through the decoder.
constexpr std::int64_t kActivationBytes = std::int64_t{192} << 20;

// The cache of this decoder, without blocks.
KvCache cache_like(const Config& config, Precision precision);
// Of a block of `like`'s kind: keys and values of all layers.
std::int64_t block_bytes(const KvCache& like);
// Blocks for answers that want `sum` together and `largest` at most.
std::int64_t cache_blocks(const KvCache& like, std::int64_t sum, std::int64_t largest,
                          std::int64_t bytes = kCacheBytes);

// Rows of patches that go through the vision tower at once, and of logits; a row of the real vocabulary takes 1 MiB.
constexpr std::int64_t kPictureRows = 1024, kLogitRows = 16;
// Activations of a row in the decoder, at the widest place of a block.
std::int64_t decoder_row_floats(const DecoderConfig& decoder);
// Rows of several prompts that go through the decoder at once. One prompt is never split, its prefix sees all of
// itself.
std::int64_t rows_of_prompts(const DecoderConfig& decoder);

}  // namespace paligemma
