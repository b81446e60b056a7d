// Where keys and values of a head lie in a block of the cache: first the keys of 64 positions as four panels (16
// positions are the rows of a panel, H is k), then their values as H / 16 panels (16 elements of H are the rows, the
// positions are k). So scores and mixing are the same products as everything else.
#pragma once

#include "backend/backend.h"
#include "backend/cpu/pack.h"

namespace paligemma {

struct CacheLayout {
  std::int64_t head_size, key_panel, value_panel, keys, head;  // the last four in bytes
  DType dtype;

  explicit CacheLayout(const KvCache& cache) : CacheLayout(cache.head_size, cache.dtype) {}
  CacheLayout(std::int64_t head_size, DType dtype)
      : head_size(head_size),
        key_panel(panel_bytes(head_size, dtype)),
        value_panel(panel_bytes(kKvBlockTokens, dtype)),
        keys(key_panel * (kKvBlockTokens / kPanel)),
        head(keys + value_panel * (round_up(head_size, kPanel) / kPanel)),
        dtype(dtype) {}
};

inline std::byte* head_of(const KvCache& cache, const CacheLayout& layout, std::int64_t block, std::int64_t layer,
                          std::int64_t head) {
  return cache.storage.get() + ((block * cache.layers + layer) * cache.kv_heads + head) * layout.head;
}

// The caller's mistake, said before a kernel reads past the end of the cache.
void check_sequences(std::span<const Sequence> sequences, const KvCache& cache, std::int64_t rows);
void check_attention(ConstView q, const KvCache& cache, std::int64_t layer, const AttentionShape& shape, ConstView y);

}  // namespace paligemma
