#include "engine/budget.h"

#include <algorithm>

namespace paligemma {
namespace {

// Enough to keep products efficient.
constexpr std::int64_t kMostRows = 1024;

}  // namespace

KvCache cache_like(const Config& config, Precision precision) {
  const DecoderConfig& decoder = config.decoder;
  return {.layers = decoder.layers,
          .kv_heads = decoder.kv_heads,
          .head_size = decoder.head_size,
          .dtype = precision != Precision::f32 || config.numerics.bf16_cache ? DType::bf16 : DType::f32};
}

std::int64_t block_bytes(const KvCache& like) {
  return 2 * like.layers * like.kv_heads * like.head_size * kKvBlockTokens * byte_size(like.dtype);
}

std::int64_t cache_blocks(const KvCache& like, std::int64_t sum, std::int64_t largest, std::int64_t bytes) {
  return std::min(sum, std::max(largest, bytes / block_bytes(like)));
}

// Residual, norm, q, k, v, attention and the feed-forward's two factors, in f32, and the packed copy that a product
// makes of its input.
std::int64_t decoder_row_floats(const DecoderConfig& d) {
  return 4 * d.width + 2 * (d.heads + d.kv_heads) * d.head_size + 2 * d.mlp;
}

std::int64_t rows_of_prompts(const DecoderConfig& decoder) {
  return std::min(kMostRows, kActivationBytes / std::int64_t{sizeof(float)} / decoder_row_floats(decoder));
}

}  // namespace paligemma
